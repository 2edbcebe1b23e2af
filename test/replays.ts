/** Replays that the documents show: how they are found there, and what they must say. */
import { readCase } from '../campaign/corpus.ts';
import { explain } from '../fuzz/explain.ts';
import { replayCase } from '../fuzz/replay.ts';
import { Sessions } from '../fuzz/sessions.ts';

export const REPLAYS = 'docs/replays.md';

const REPLAY = /(<!-- replay: (\S+) -->\n```\n)[^`]*(```)/g;

export function replayText(file: string): string {
  const value = readCase(file);
  const { session, run } = replayCase(new Sessions(), value);
  return `${explain(session, value, run).join('\n')}\n`;
}

/** The page with the replay of each named case in the block below its name. */
export function withReplays(page: string): string {
  return page.replace(
    REPLAY,
    (_, head: string, file: string, end: string) => `${head}${replayText(file)}${end}`,
  );
}

/** Cases that the page names. */
export function replaysIn(page: string): readonly string[] {
  return [...page.matchAll(REPLAY)].map(([, , file]) => file!);
}
