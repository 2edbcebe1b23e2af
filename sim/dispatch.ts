/**
 * Hands events on to listeners: one straight-line function per kind of event, in which every listener
 * has a call of its own. A loop over listeners of a dozen classes is a call that V8 cannot see through,
 * and it is made more than twice for each step of a program.
 */
import type { EventCode } from './event.ts';
import type { Listener } from './spec.ts';

/** Tells the listeners of one kind of event, in the order in which they were attached. */
export type Dispatch = (a: number, b: number, c: number, d: number) => void;

/** The function for the listeners of one kind; undefined for none. Its text is made of numbers only. */
export function dispatchTo(kind: EventCode, listeners: readonly Listener[]): Dispatch | undefined {
  if (listeners.length === 0) return undefined;
  const names = listeners.map((_, index) => `listener${index}`);
  const calls = names.map((name) => `${name}.onEvent(${kind}, a, b, c, d);`);
  const make = new Function(...names, `return (a, b, c, d) => { ${calls.join(' ')} };`);
  return make(...listeners) as Dispatch;
}
