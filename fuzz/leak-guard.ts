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
  [performance, 'mark'],
  [process, 'hrtime'],
  [process, 'uptime'],
  [process, 'cpuUsage'],
  [process, 'memoryUsage'],
  [process, 'nextTick'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [globalThis, 'queueMicrotask'],
  [globalThis.crypto, 'getRandomValues'],
  [globalThis.crypto, 'randomUUID'],
  [String.prototype, 'localeCompare'],
  [Number.prototype, 'toLocaleString'],
  [Array.prototype, 'toLocaleString'],
  [String.prototype, 'toLocaleUpperCase'],
  [String.prototype, 'toLocaleLowerCase'],
];

/** Objects and values: reading them throws. */
const GUARDED_VALUES: readonly (readonly [object: object, property: string])[] = [
  [performance, 'timeOrigin'],
  [process, 'env'],
  [globalThis, 'Intl'],
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
  const replace = (holder: object, property: string, by: PropertyDescriptor): void => {
    const known = Object.getOwnPropertyDescriptor(holder, property);
    Object.defineProperty(holder, property, { configurable: true, ...by });
    restores.unshift(() => {
      if (known === undefined) Reflect.deleteProperty(holder, property);
      else Object.defineProperty(holder, property, known);
    });
  };
  // functions, so that they throw as well when they are constructed
  const forbidden = (name: string) =>
    function forbid(): never {
      throw new InternalError(`${name} is used inside a run: runs are pure`);
    };
  for (const [holder, property] of GUARDED)
    replace(holder, property, { writable: true, value: forbidden(property) });
  for (const name of GUARDED_CLASSES)
    replace(globalThis, name, { writable: true, value: forbidden(name) });
  for (const [holder, property] of GUARDED_VALUES)
    replace(holder, property, { get: forbidden(property) });
  return restores;
}
