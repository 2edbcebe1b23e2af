/** `new`: a system, an oracle or a bug, to be filled. */
import { scaffold } from '../campaign/scaffold.ts';
import { Exit, print } from './terminal.ts';

export function newThing(kind: string, name: string): number {
  const { files, next } = scaffold(kind, name);
  for (const file of files) print(`wrote ${file}`);
  print('\nNext:');
  for (const [index, line] of next.entries()) print(`${index + 1}. ${line}`);
  return Exit.Clean;
}
