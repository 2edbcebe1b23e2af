/**
 * What is always true of the pools, whenever their lock is released (B1 to B7), and of pins (K).
 * Source: spec/arm.md 6.3, 6.10; amendment E17.
 */
import { EXEC, frameOf, isValid, WRITE } from '../../sim/descriptor.ts';
import { AT_END, type Invariant } from '../../sim/invariant.ts';
import { PageState } from '../../sim/ownership.ts';
import { IMAGE_PAGES, MEMORY, MEMORY_PAGES, PRIVATE } from './layout.ts';
import { frameOfNode, inRange, NO_ORDER, ORDERS, type Pool } from './pool.ts';
import { hypState } from './records.ts';
import { Allocator, Lock, type PkvmWorld, Tree, VCPUS } from './world.ts';

/** By rule: what it says. */
const RULES = {
  'pool-list': 'a free list links blocks of its order, each once, both ways',
  'pool-block':
    'a free block lies in the pool, is aligned to its size, and its tails are no blocks',
  'pool-overlap': 'no two free blocks overlap',
  'pool-allocated':
    'a page that is not free belongs to an allocated block, whose tails are not counted',
  'pool-coalesced':
    'no free block has a free buddy of its size, below the largest block there can be',
  'pool-zero': 'free pages are zero but for list nodes',
} as const;
type Rule = keyof typeof RULES;

interface Verdict {
  readonly rule: Rule;
  readonly frame: number;
}

/** Looks at one pool; the verdict of one moment serves all rules. */
class PoolCheck {
  readonly #world: PkvmWorld;
  readonly #pool: Pool;
  readonly #free: Uint8Array;
  #at = -1;
  #verdict: Verdict | undefined;

  constructor(world: PkvmWorld, pool: Pool) {
    this.#world = world;
    this.#pool = pool;
    this.#free = new Uint8Array(world.machine.spec.frames);
  }

  broken(rule: Rule): number {
    const { moment } = this.#world;
    if (this.#at !== moment) {
      this.#at = moment;
      this.#verdict = this.#judge();
    }
    return this.#verdict?.rule === rule ? this.#verdict.frame : -1;
  }

  #judge(): Verdict | undefined {
    const { memory } = this.#world.machine;
    const range = memory.load(this.#pool.range);
    const pages = range & 0xff;
    if (pages === 0) return undefined;
    this.#free.fill(0);
    for (let order = 0; order < ORDERS; order += 1) {
      const broken = this.#list(order, range);
      if (broken !== undefined) return broken;
    }
    return this.#allocated(range) ?? this.#coalesced(range);
  }

  #list(order: number, range: number): Verdict | undefined {
    const { machine } = this.#world;
    const { memory } = machine;
    let before = 0;
    let frame = memory.load(this.#pool.heads + order);
    while (frame !== 0) {
      const isOutside = !inRange(range, frame);
      const broken = this.#block(frame, order, isOutside, range);
      if (broken !== undefined) return broken;
      if (frameOfNode(memory.load(memory.address(frame, 1))) !== before)
        return { rule: 'pool-list', frame };
      before = frame;
      frame = frameOfNode(memory.load(memory.address(frame, 0)));
    }
    const last = memory.load(this.#pool.tails + order);
    return last === before ? undefined : { rule: 'pool-list', frame: last };
  }

  #block(frame: number, order: number, isOutside: boolean, range: number): Verdict | undefined {
    const world = this.#world;
    const { memory } = world.machine;
    const pages = 1 << order;
    if (memory.load(world.order(frame)) !== order) return { rule: 'pool-list', frame };
    if (memory.load(world.count(frame)) !== 0) return { rule: 'pool-list', frame };
    const isWhole = frame % pages === 0 && inRange(range, frame + pages - 1);
    if (isOutside ? order > 0 : !isWhole) return { rule: 'pool-block', frame };
    for (let page = frame; page < frame + pages; page += 1) {
      if (this.#free[page] === 1) return { rule: 'pool-overlap', frame: page };
      this.#free[page] = 1;
      for (let index = page === frame ? 2 : 0; index < memory.wordsPerPage; index += 1)
        if (memory.load(memory.address(page, index)) !== 0)
          return { rule: 'pool-zero', frame: page };
      if (page === frame) continue;
      const isTail =
        memory.load(world.order(page)) === NO_ORDER && memory.load(world.count(page)) === 0;
      if (!isTail) return { rule: 'pool-block', frame: page };
    }
    return undefined;
  }

  #allocated(range: number): Verdict | undefined {
    const world = this.#world;
    const { memory } = world.machine;
    const end = (range >>> 8) + (range & 0xff);
    for (let frame = range >>> 8; frame < end; ) {
      if (this.#free[frame] === 1) {
        frame += 1;
        continue;
      }
      const order = memory.load(world.order(frame));
      if (order >= ORDERS || memory.load(world.count(frame)) === 0)
        return { rule: 'pool-allocated', frame };
      for (let tail = frame + 1; tail < frame + (1 << order); tail += 1) {
        const isTail =
          memory.load(world.order(tail)) === NO_ORDER && memory.load(world.count(tail)) === 0;
        if (!isTail || this.#free[tail] === 1) return { rule: 'pool-allocated', frame: tail };
      }
      frame += 1 << order;
    }
    return undefined;
  }

  #coalesced(range: number): Verdict | undefined {
    const world = this.#world;
    const { memory } = world.machine;
    const first = range >>> 8;
    const end = first + (range & 0xff);
    const top = Math.min(ORDERS - 1, 31 - Math.clz32(end - first));
    for (let frame = first; frame < end; frame += 1) {
      if (this.#free[frame] === 0) continue;
      const order = memory.load(world.order(frame));
      if (order >= top) continue;
      const buddy = frame ^ (1 << order);
      if (!inRange(range, buddy) || this.#free[buddy] === 0) continue;
      if (memory.load(world.order(buddy)) === order) return { rule: 'pool-coalesced', frame };
    }
    return undefined;
  }
}

export function invariantsOf(world: PkvmWorld): readonly Invariant[] {
  if (world.configuration.part === 'boot')
    return [...poolInvariants(world), ...mapInvariants(world)];
  return [...poolInvariants(world), pinInvariant(world)];
}

/** What the hypervisor's own map says once its allocator serves it (K1, K4, and what it maps is its own). */
function mapInvariants(world: PkvmWorld): readonly Invariant[] {
  const { memory, tables } = world.machine;
  const { entries } = tables.trees[Tree.Hyp]!;
  const find = (isWrong: (entry: number, page: number) => boolean): number => {
    if (memory.load(world.allocator) !== Allocator.Pool) return -1;
    for (let page = 0; page < entries.length; page += 1) {
      const entry = entries[page]!;
      if (isValid(entry) && isWrong(entry, page)) return frameOf(entry);
    }
    return -1;
  };
  return [
    {
      id: 'mapped-not-owned',
      title:
        'every page outside its image that the hypervisor maps is its own, or the host’s and shared to be read',
      lock: Lock.Hyp,
      broken: () =>
        find((entry) => {
          const frame = frameOf(entry);
          if (frame < IMAGE_PAGES) return false;
          const expected = (entry & WRITE) !== 0 ? PageState.Owned : PageState.SharedBorrowed;
          return hypState(memory.load(world.record(frame))) !== expected;
        }),
    },
    {
      id: 'written-and-executed',
      title: 'K1: nothing is writable and executable for the hypervisor',
      lock: Lock.Hyp,
      broken: () => find((entry) => (entry & WRITE) !== 0 && (entry & EXEC) !== 0),
    },
    {
      id: 'guard-mapped',
      title: 'K4: nothing is mapped below a stack',
      lock: Lock.Hyp,
      broken: () => find((_, page) => page >= PRIVATE + 2 && page % 2 === 0),
    },
  ];
}

/** What the hypervisor relies on stays pinned, and nothing else does. */
function pinInvariant(world: PkvmWorld): Invariant {
  const { memory } = world.machine;
  return {
    id: 'pins',
    title:
      'a page that is shared with the hypervisor is pinned once per vCPU that is set up around it',
    lock: AT_END,
    broken() {
      for (let frame = MEMORY; frame < MEMORY + MEMORY_PAGES; frame += 1) {
        if (hypState(memory.load(world.record(frame))) !== PageState.SharedBorrowed) continue;
        let users = 0;
        for (const { vcpu, vcpuPage } of world.guests) {
          for (let i = 0; i < VCPUS; i += 1) {
            const isUser = memory.load(vcpu + i) !== 0 && memory.load(vcpuPage + i) === frame;
            if (isUser) users += 1;
          }
        }
        if (memory.load(world.count(frame)) !== users) return frame;
      }
      return -1;
    },
  };
}

function poolInvariants(world: PkvmWorld): readonly Invariant[] {
  const pools = [world.hypPool, world.hostPool, ...world.guestPools];
  return pools.flatMap((pool) => {
    const check = new PoolCheck(world, pool);
    return (Object.keys(RULES) as Rule[]).map((id) => ({
      id,
      title: RULES[id],
      lock: pool.lock,
      broken: () => check.broken(id),
    }));
  });
}
