/**
 * Follows docs/tutorial.md word by word: writes its files, applies its diffs, runs its commands, and looks
 * for the output that it shows (lines with numbers may differ).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Block {
  readonly language: string;
  /** What follows the language: a file, or `exits N`. */
  readonly rest: string;
  readonly text: string;
}

export function blocksOf(file: string): readonly Block[] {
  const found = readFileSync(file, 'utf8').matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, language = '', rest = '', text = '']) => ({ language, rest, text }));
}

export interface Followed {
  /** Commands that were run. */
  readonly commands: readonly string[];
  /** What went otherwise than the text says. */
  readonly wrong: readonly string[];
}

/**
 * @param folder an empty folder
 * @param commandOf how a command of the text is run here; undefined to leave it out
 */
export function follow(
  blocks: readonly Block[],
  folder: string,
  commandOf: (command: string) => readonly [string, readonly string[]] | undefined,
): Followed {
  const commands: string[] = [];
  const wrong: string[] = [];
  let output = '';
  for (const { language, rest, text } of blocks) {
    if (language === 'ts') writeFileSync(join(folder, rest), text);
    else if (language === 'diff') wrong.push(...applyDiff(join(folder, rest), text));
    else if (language === '') wrong.push(...missing(text, output));
    else if (language === 'sh') {
      const expected = Number(/^exits (\d+)$/.exec(rest)?.[1] ?? 0);
      for (const command of text.trim().split('\n')) {
        const how = commandOf(command);
        if (how === undefined) continue;
        commands.push(command);
        const { status, stdout, stderr } = spawnSync(how[0], how[1], {
          cwd: folder,
          encoding: 'utf8',
        });
        output = stdout;
        if (status !== expected)
          wrong.push(`"${command}" exits ${status}, not ${expected}: ${stderr}${stdout}`);
      }
    } else wrong.push(`a block in "${language}" is nothing that can be followed`);
  }
  return { commands, wrong };
}

/** Replaces the lines with a minus, which must be there, by those with a plus. */
function applyDiff(file: string, diff: string): readonly string[] {
  const part = (sign: string): string =>
    diff
      .split('\n')
      .filter((line) => line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  const text = readFileSync(file, 'utf8');
  const count = text.split(part('-')).length - 1;
  if (count !== 1) return [`these lines are ${count} times in ${file}:\n${part('-')}`];
  writeFileSync(
    file,
    text.replace(part('-'), () => part('+')),
  );
  return [];
}

function missing(shown: string, output: string): readonly string[] {
  return shown
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/\d/.test(line) && !output.includes(line))
    .map((line) => `the output has no line "${line}"`);
}
