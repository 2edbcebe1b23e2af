/** The trace viewer as a page: docs/viewer.md. */
import type { Case } from '../fuzz/case.ts';
import type { Replay } from '../fuzz/replay.ts';
import { sentence } from '../fuzz/sentence.ts';
import { makeView } from '../fuzz/view/make-view.ts';
import type { View } from '../fuzz/view/view.ts';
import { page, read } from './page.ts';

/** What is shown of a replay: in a page, in the terminal, in another tool. */
export function viewOf(file: string, value: Case, { session, run, verdict }: Replay): View {
  const { violation } = run;
  const name = file
    .split('/')
    .at(-1)!
    .replace(/\.yaml$/, '');
  const title =
    violation === undefined ? `${name}: no oracle objects` : sentence(session, violation);
  return makeView(session, value, run, title.charAt(0).toUpperCase() + title.slice(1), verdict);
}

export function viewerPage(file: string, value: Case, done: Replay): string {
  const view = viewOf(file, value, done);
  return page({
    title: view.title,
    body: read('viewer/viewer.html'),
    styles: ['base.css', 'viewer/viewer.css'],
    script: 'viewer/main.js',
    data: view,
  });
}
