/**
 * Life cycle of physical pages: role, generation, the free pool. The pool is one for tables and
 * data, so a freed table comes back as somebody's data and the other way round.
 */
import { assert } from './assert.ts';

/** What a page of memory is used for now. */
export const Role = {
  Invalid: 0,
  Free: 1,
  Cached: 2,
  Table: 3,
  Data: 4,
  Kernel: 5,
  /** Free in a pool of the system's own, whose allocator keeps its list nodes in it. */
  Pooled: 6,
} as const;
export type Role = (typeof Role)[keyof typeof Role];

export const ROLE_NAMES = [
  'invalid',
  'free',
  'cached',
  'table',
  'data',
  'kernel',
  'pooled',
] as const;

/** Adjacent pages that never enter the machine's pool: the system under test hands them out itself. */
export interface Reserved {
  readonly first: number;
  readonly count: number;
  /** Their role at boot. */
  readonly role: Role;
}

export class Pages {
  readonly count: number;
  readonly role: Uint8Array;
  /** Times that the page was freed in this run; a reference made earlier is stale. */
  readonly generation: Int32Array;
  /** Free frames, the one freed last on top. */
  readonly #pool: Int32Array;
  readonly #poolAtBoot: Int32Array;
  readonly #roleAtBoot: Uint8Array;
  #poolCount = 0;

  /** @param kernelFrames the first frames, which never enter the pool, as the reserved ones */
  constructor(count: number, kernelFrames: number, reserved: readonly Reserved[] = []) {
    assert(kernelFrames > 0 && kernelFrames < count, 'there are kernel frames and others');
    this.count = count;
    this.role = new Uint8Array(count);
    this.generation = new Int32Array(count);
    this.#roleAtBoot = new Uint8Array(count).fill(Role.Free);
    this.#roleAtBoot.fill(Role.Kernel, 0, kernelFrames);
    for (const { first, count: pages, role } of reserved)
      this.#roleAtBoot.fill(role, first, first + pages);
    const free: number[] = [];
    for (let frame = count - 1; frame >= 0; frame -= 1)
      if (this.#roleAtBoot[frame] === Role.Free) free.push(frame);
    this.#poolAtBoot = Int32Array.from(free);
    this.#pool = new Int32Array(count);
    this.reset();
  }

  get free(): number {
    return this.#poolCount;
  }

  isFree(frame: number): boolean {
    return this.role[frame] === Role.Free;
  }

  /** The page that `take` would give, or -1. */
  next(newest: boolean): number {
    if (this.#poolCount === 0) return -1;
    return this.#pool[newest ? this.#poolCount - 1 : 0]!;
  }

  /** Takes one page; `newest` prefers the one freed last. -1 when the pool is empty. */
  take(role: Role, newest: boolean): number {
    if (this.#poolCount === 0) return -1;
    let frame: number;
    this.#poolCount -= 1;
    if (newest) {
      frame = this.#pool[this.#poolCount]!;
    } else {
      frame = this.#pool[0]!;
      this.#pool.copyWithin(0, 1, this.#poolCount + 1);
    }
    this.role[frame] = role;
    return frame;
  }

  /** Takes `count` adjacent pages aligned to `count`; the first frame, or -1. */
  takeRun(role: Role, count: number): number {
    let first = 0;
    search: for (first = count; first + count <= this.count; first += count) {
      for (let i = 0; i < count; i += 1) if (this.role[first + i] !== Role.Free) continue search;
      break;
    }
    if (first + count > this.count) return -1;
    let kept = 0;
    for (let i = 0; i < this.#poolCount; i += 1) {
      const frame = this.#pool[i]!;
      if (frame >= first && frame < first + count) continue;
      this.#pool[kept] = frame;
      kept += 1;
    }
    assert(kept === this.#poolCount - count, 'free pages are in the pool');
    this.#poolCount = kept;
    this.role.fill(role, first, first + count);
    return first;
  }

  /** Gives a page back. False when it was free already (the caller's defect, not ours). */
  give(frame: number): boolean {
    if (this.role[frame] === Role.Free) return false;
    this.role[frame] = Role.Free;
    this.generation[frame]! += 1;
    this.#pool[this.#poolCount] = frame;
    this.#poolCount += 1;
    return true;
  }

  /** A page of the system's own gets another role. One that is pooled again is another page from then on. */
  assign(frame: number, role: Role): void {
    assert(this.role[frame] !== Role.Free && role !== Role.Free, 'the page is reserved');
    this.role[frame] = role;
    if (role === Role.Pooled) this.generation[frame]! += 1;
  }

  reset(): void {
    this.role.set(this.#roleAtBoot);
    this.generation.fill(0);
    this.#pool.set(this.#poolAtBoot);
    this.#poolCount = this.#poolAtBoot.length;
  }
}
