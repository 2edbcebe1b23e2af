/** Spin locks, reader-writer locks and mutexes: state that the scheduler and oracles can see. */
import { assert } from './assert.ts';

/** Kinds of locks. */
export const LockKind = { Spin: 0, ReadWrite: 1, Mutex: 2 } as const;
export type LockKind = (typeof LockKind)[keyof typeof LockKind];

/** How a lock is held. */
export const Mode = { Invalid: 0, Exclusive: 1, Shared: 2 } as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** A lock of the machine. */
export interface LockSpec {
  readonly name: string;
  readonly kind: LockKind;
}

export class Locks {
  readonly specs: readonly LockSpec[];
  /** Actor that holds the lock exclusively, or -1. */
  readonly owner: Int32Array;
  /** Actors that hold the lock shared, as a bit mask. */
  readonly readers: Int32Array;

  constructor(specs: readonly LockSpec[]) {
    this.specs = specs;
    this.owner = new Int32Array(specs.length).fill(-1);
    this.readers = new Int32Array(specs.length);
  }

  reset(): void {
    this.owner.fill(-1);
    this.readers.fill(0);
  }

  available(lock: number, mode: Mode): boolean {
    if (this.owner[lock] !== -1) return false;
    return mode === Mode.Shared || this.readers[lock] === 0;
  }

  take(lock: number, mode: Mode, actor: number): void {
    assert(this.available(lock, mode), 'a lock is taken when it is available');
    if (mode === Mode.Shared) this.readers[lock]! |= 1 << actor;
    else this.owner[lock] = actor;
  }

  /** The mode in which the lock was held. */
  drop(lock: number, actor: number): Mode {
    if (this.owner[lock] === actor) {
      this.owner[lock] = -1;
      return Mode.Exclusive;
    }
    assert((this.readers[lock]! & (1 << actor)) !== 0, 'a lock is dropped by its holder');
    this.readers[lock]! &= ~(1 << actor);
    return Mode.Shared;
  }

  mode(lock: number, actor: number): Mode {
    if (this.owner[lock] === actor) return Mode.Exclusive;
    return (this.readers[lock]! & (1 << actor)) !== 0 ? Mode.Shared : Mode.Invalid;
  }

  /** A spin lock (or a reader-writer lock that spins) held by the actor, or -1: it must not sleep. */
  spinningLock(actor: number): number {
    for (let lock = 0; lock < this.specs.length; lock += 1) {
      if (this.specs[lock]!.kind === LockKind.Mutex) continue;
      if (this.mode(lock, actor) !== Mode.Invalid) return lock;
    }
    return -1;
  }
}
