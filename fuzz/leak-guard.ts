/**
 * Makes every source of nondeterminism throw while a run is made: a model, oracle or strategy that
 * reads a clock or a random number is our fault, and it must not stay unnoticed.
 */
import { InternalError } from '../sim/assert.ts';

type Restore = () => void;

/** Object and property of each function that has no place inside a run. */
const GUARDED: readonly (readonly [object: object, property: string])[] = [
  [Math, 'random'],
  [Date, 'now'],
  [performance, 'now'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [globalThis, 'queueMicrotask'],
  [globalThis.crypto, 'getRandomValues'],
  [globalThis.crypto, 'randomUUID'],
  [String.prototype, 'localeCompare'],
  [Number.prototype, 'toLocaleString'],
  [Array.prototype, 'toLocaleString'],
];

/** Constructors: replaced as a whole. */
const GUARDED_CLASSES = ['Date', 'WeakRef', 'FinalizationRegistry'] as const;

/** Runs `body` with the guard up, and takes it down whatever happens. */
export function guarded<Value>(body: () => Value): Value {
  const restores = raise();
  try {
    return body();
  } finally {
    for (const restore of restores) restore();
  }
}

function raise(): Restore[] {
  const restores: Restore[] = [];
  const forbid = (holder: object, property: string, name: string): void => {
    const known = Object.getOwnPropertyDescriptor(holder, property);
    // a function, so that it throws as well when it is constructed
    const value = function forbidden(): never {
      throw new InternalError(`${name} is used inside a run: runs are pure`);
    };
    Object.defineProperty(holder, property, { configurable: true, writable: true, value });
    restores.unshift(() => {
      if (known === undefined) Reflect.deleteProperty(holder, property);
      else Object.defineProperty(holder, property, known);
    });
  };
  for (const [holder, property] of GUARDED) forbid(holder, property, property);
  for (const name of GUARDED_CLASSES) forbid(globalThis, name, name);
  return restores;
}
