/**
 * Litmus tests for what herd's model does not have: stage 2, VMIDs, walk caches, level hints, ranges, blocks. A
 * guest access fills the TLB of PE 1, the host on PE 0 takes the entry away, and when it is done the guest
 * accesses the page again. Every schedule is tried, with hardware that caches what it may: can the guest still
 * come through?
 *
 * Source: spec/arm.md 1.5 to 1.7, amendments E3, E6, E21, E29.
 */
import test from 'ava';
import { baseRegister, Domain, faultClass } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { ACCESSED, Intent, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Shareability, Tlbi, ttl } from '../../sim/invalidation.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { at, VMID, Workbench } from './workbench.ts';

const RUNS_MAX = 60_000;
/** Input page 5: entry 1 of the root, entry 1 of the table below. */
const PAGE = 5;
const ENTRY = leaf(40, READ | WRITE | ACCESSED);
/** A block of four pages at entry 2 of the root. */
const BLOCK_PAGE = 8;
const BLOCK = leaf(44, READ | WRITE | ACCESSED);
const GRANULE = 12;
/** A range names its granule and no level. */
const RANGE = ttl(GRANULE, 0);

interface Bench {
  readonly bench: Workbench;
  /** The table below entry 1 of the root. */
  readonly below: number;
}

type Step = (self: Actor, bench: Bench) => Operation<void>;

// ---- what the host does ----

const clearPage: Step = function* clearPage(self, { bench, below }) {
  yield* self.store(at.store, bench.word(below, 1), 0);
};
const clearTable: Step = function* clearTable(self, { bench }) {
  yield* self.store(at.store, bench.word(bench.root, 1), 0);
};
const clearBlock: Step = function* clearBlock(self, { bench }) {
  yield* self.store(at.store, bench.word(bench.root, 2), 0);
};

const dsb = (domain: Domain = Domain.Inner): Step =>
  function* barrier(self) {
    yield* self.dsb(at.barrier, domain);
  };

const tlbi = (
  operation: Tlbi,
  { page = PAGE, hint = 0, pages = 1, share = Shareability.Inner as Shareability } = {},
): Step =>
  function* invalidate(self) {
    yield* self.tlbi(at.invalidate, operation, share, page, hint, pages);
  };

// ---- every schedule ----

/** Follows a path of answers, then always the first; choices have their default, which is to cache. */
class Path implements Scheduler {
  readonly id = 'path';
  readonly taken: { answer: number; of: number }[] = [];
  readonly #path: readonly number[];

  constructor(path: readonly number[]) {
    this.#path = path;
  }

  begin(): void {}

  pick(machine: Scheduling): number {
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    const answer = this.#path[this.taken.length] ?? 0;
    this.taken.push({ answer, of: ready.length });
    return ready[answer]!;
  }

  choose(): number {
    return 0;
  }
}

interface Question {
  readonly host: readonly Step[];
  /** Page that the guest accesses before and after. */
  readonly page?: number;
  /** VMID of the PE on which the host runs. */
  readonly hostVmid?: number;
  /** Accesses of the guest before the host is done; 1 when not given. */
  readonly before?: number;
}

/** How the last access of the guest can end: `through` an entry that was there, or in a `fault`. */
function answers({ host, page = PAGE, hostVmid = VMID, before = 1 }: Question): readonly string[] {
  const bench = new Workbench();
  const found = new Set<string>();
  let path: number[] | undefined = [];
  for (let run = 0; path !== undefined; run += 1) {
    if (run > RUNS_MAX) throw new Error('too large to try every schedule');
    bench.reset();
    const below = bench.takeTable();
    bench.put(bench.word(bench.root, 1), table(below));
    bench.put(bench.word(below, 1), ENTRY);
    bench.put(bench.word(below, 2), ENTRY);
    bench.put(bench.word(bench.root, 2), BLOCK);
    bench.machine.pes[0]!.vttbr = baseRegister(bench.root, hostVmid);
    const scheduler = new Path(path);
    let last = -1;
    function* guest(self: Actor): Operation<number> {
      for (let i = 0; i < before; i += 1) yield* self.guestAccess(at.access, page, Intent.Read, 0);
      yield* self.waitFor(at.wait, bench.variable(0), 1);
      last = yield* self.guestAccess(at.access, page, Intent.Read, 0);
      return 0;
    }
    function* away(self: Actor): Operation<number> {
      for (const step of host) yield* step(self, { bench, below });
      yield* self.store(at.store, bench.variable(0), 1);
      return 0;
    }
    bench.run({ vcpu1: [guest], host0: [away] }, scheduler);
    found.add(faultClass(last) === 0 ? 'through' : 'fault');
    const { taken } = scheduler;
    while (taken.length > 0 && taken.at(-1)!.answer + 1 >= taken.at(-1)!.of) taken.pop();
    const end = taken.at(-1);
    path = end && [...taken.slice(0, -1).map(({ answer }) => answer), end.answer + 1];
  }
  return [...found].sort();
}

const GONE = ['fault'];
const STAYS = ['fault', 'through'];

const stage2 = tlbi(Tlbi.Ipas2e1);
const stage1 = tlbi(Tlbi.Vmalle1);
const whole = tlbi(Tlbi.Vmalls12e1);

const TESTS: Readonly<Record<string, Question & { readonly expected: readonly string[] }>> = {
  'stage 2, then stage 1, each complete: gone': {
    host: [clearPage, dsb(), stage2, dsb(), stage1, dsb()],
    expected: GONE,
  },
  'stage 2 alone: the combined entry stays': {
    host: [clearPage, dsb(), stage2, dsb()],
    expected: STAYS,
  },
  'stage 1 first: a combined entry is made again from the one of stage 2': {
    host: [clearPage, dsb(), stage1, dsb(), stage2, dsb()],
    before: 2,
    expected: STAYS,
  },
  'nothing completes an invalidation but a full barrier': {
    host: [clearPage, dsb(), whole, dsb(Domain.InnerStore)],
    expected: STAYS,
  },
  'everything of the VMID: gone': { host: [clearPage, dsb(), whole, dsb()], expected: GONE },
  'everything of another VMID: stays': {
    host: [clearPage, dsb(), whole, dsb()],
    hostVmid: VMID + 1,
    expected: STAYS,
  },
  'everything of every VMID, whichever is loaded: gone': {
    host: [clearPage, dsb(), tlbi(Tlbi.Alle1), dsb()],
    hostVmid: VMID + 1,
    expected: GONE,
  },
  'only on the own PE: stays on the other': {
    host: [clearPage, dsb(), tlbi(Tlbi.Vmalls12e1, { share: Shareability.Local }), dsb()],
    expected: STAYS,
  },
  'a level hint that fits: gone': {
    host: [clearPage, dsb(), tlbi(Tlbi.Ipas2e1, { hint: ttl(GRANULE, 3) }), dsb(), stage1, dsb()],
    expected: GONE,
  },
  'a level hint that does not fit: need remove nothing': {
    host: [clearPage, dsb(), tlbi(Tlbi.Ipas2e1, { hint: ttl(GRANULE, 2) }), dsb(), stage1, dsb()],
    expected: STAYS,
  },
  'a table is unlinked, without hint: no walk goes through it': {
    host: [clearTable, dsb(), stage2, dsb(), stage1, dsb()],
    expected: GONE,
  },
  'a table is unlinked, its own level as hint: the walk cache stays': {
    host: [clearTable, dsb(), tlbi(Tlbi.Ipas2e1, { hint: ttl(GRANULE, 2) }), dsb(), stage1, dsb()],
    expected: STAYS,
  },
  'a table is unlinked, last level only: the walk cache stays': {
    host: [clearTable, dsb(), tlbi(Tlbi.Ipas2le1), dsb(), stage1, dsb()],
    expected: STAYS,
  },
  'a range that ends with the page: gone': {
    host: [
      clearPage,
      dsb(),
      tlbi(Tlbi.Ripas2e1, { page: 4, pages: 2, hint: RANGE }),
      dsb(),
      stage1,
      dsb(),
    ],
    expected: GONE,
  },
  'a range that ends before the page: stays': {
    host: [
      clearPage,
      dsb(),
      tlbi(Tlbi.Ripas2e1, { page: 2, pages: 2, hint: RANGE }),
      dsb(),
      stage1,
      dsb(),
    ],
    expected: STAYS,
  },
  'a range of another granule: need remove nothing': {
    host: [
      clearPage,
      dsb(),
      tlbi(Tlbi.Ripas2e1, { page: 4, pages: 2, hint: ttl(16, 0) }),
      dsb(),
      stage1,
      dsb(),
    ],
    expected: STAYS,
  },
  'any address inside a block names all of it': {
    host: [clearBlock, dsb(), tlbi(Tlbi.Ipas2e1, { page: BLOCK_PAGE + 3 }), dsb(), stage1, dsb()],
    page: BLOCK_PAGE + 1,
    expected: GONE,
  },
};

for (const [name, { expected, ...question }] of Object.entries(TESTS))
  test(name, (t) => {
    t.deepEqual(answers(question), expected);
  });
