/**
 * A small machine for tests: one guest table with two index bits per level, a vCPU on each of two
 * PEs, two hosts, and the walker of each PE. Programs are generators written in the test; schedules
 * are scripts that name who makes each event.
 */
import { baseRegister } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { InternalError } from '../../sim/assert.ts';
import { Event, type EventCode } from '../../sim/event.ts';
import type { Geometry } from '../../sim/geometry.ts';
import type { TranslationHardware } from '../../sim/hardware.ts';
import { LockKind } from '../../sim/locks.ts';
import { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { sites } from '../../sim/site.ts';
import type { MachineSpec, RunLimits } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime } from '../../sim/tables.ts';
import type { Row } from '../../sim/trace.ts';

export const at = sites('test', [
  'access',
  'allocate',
  'barrier',
  'callback',
  'defer',
  'enter',
  'evict',
  'exit',
  'free',
  'grace',
  'invalidate',
  'leave',
  'lock',
  'read',
  'retry',
  'speculate',
  'store',
  'unlock',
  'wait',
]);

/** Two levels of four entries: a level-2 root and one table page per four pages. */
export const TOY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 2,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 16,
};

export const VMID = 1;
const KERNEL_FRAMES = 4;
const FRAMES = 64;

/** Sources in the order of the machine: ties go to the first. */
const ACTORS = [
  { name: 'vcpu0', role: 'vcpu', pe: 0 },
  { name: 'vcpu1', role: 'vcpu', pe: 1 },
  { name: 'host0', role: 'host', pe: 0 },
  { name: 'host1', role: 'host', pe: 1 },
  { name: 'pe0', role: 'pe', pe: 0 },
  { name: 'pe1', role: 'pe', pe: 1 },
  { name: 'rcu', role: 'rcu', pe: 1 },
] as const;

type ActorName = (typeof ACTORS)[number]['name'];
export type Body = (self: Actor) => Operation<number>;
export type Program = Partial<Record<ActorName, readonly Body[]>>;

export const ONE_LOCK = 0;
export const OTHER_LOCK = 1;

export interface Setup {
  readonly geometry?: Geometry;
  readonly hardwareAccessed?: boolean;
  readonly hardwareDirty?: boolean;
  readonly storeOrder?: StoreOrder;
  readonly hardware?: TranslationHardware;
  /** Deferred frees that may be outstanding. */
  readonly reclaims?: number;
  readonly masksAtExit?: boolean;
}

function specOf({
  geometry = TOY,
  hardwareAccessed = true,
  hardwareDirty = false,
  storeOrder = StoreOrder.Immediate,
  hardware,
  reclaims = 0,
  masksAtExit = false,
}: Setup): MachineSpec {
  const tree = { geometry, lock: ONE_LOCK, annotations: false, counted: false };
  return {
    frames: FRAMES,
    kernelFrames: KERNEL_FRAMES,
    backedPages: 8,
    pes: 2,
    actors: ACTORS,
    locks: [
      { name: 'one', kind: LockKind.ReadWrite },
      { name: 'other', kind: LockKind.Spin },
    ],
    sectionDomains: 1,
    trees: [
      { ...tree, name: 'guest', regime: Regime.Guest, vmid: VMID },
      { ...tree, name: 'hypervisor', regime: Regime.Hypervisor, vmid: -1 },
    ],
    guestTree: 0,
    hypervisorTree: 1,
    hardwareAccessed,
    hardwareDirty,
    storeOrder,
    ...(hardware === undefined ? {} : { hardware }),
    reclaims,
    masksAtExit,
  };
}

const LIMITS: RunLimits = { steps: 10_000, tail: 1000 };

export class Workbench {
  readonly machine: Machine;
  root = 0;
  hypervisorRoot = 0;

  constructor(setup: Setup = {}) {
    this.machine = new Machine(specOf(setup));
    this.reset();
  }

  /** The machine as after boot: two planted, empty roots, loaded into every PE. */
  reset(): void {
    const { machine } = this;
    machine.reset();
    const { rootPages } = machine.spec.trees[0]!.geometry;
    this.root = machine.pages.takeRun(Role.Table, rootPages);
    this.hypervisorRoot = machine.pages.takeRun(Role.Table, rootPages);
    machine.tables.plant(0, this.root);
    machine.tables.plant(1, this.hypervisorRoot);
    for (const pe of machine.pes) {
      pe.vttbr = baseRegister(this.root, VMID);
      pe.ttbr0 = baseRegister(this.hypervisorRoot, 0);
    }
  }

  word(frame: number, index: number): number {
    return this.machine.memory.address(frame, index);
  }

  /** A kernel variable; word 0 of the kernel frames is never used. */
  variable(index: number): number {
    return this.machine.memory.address(1, index);
  }

  load(word: number): number {
    return this.machine.memory.load(word);
  }

  /** Writes before the run, with the map kept up to date. */
  put(word: number, value: number): void {
    this.machine.write(at.store, word, value, true);
  }

  takeTable(): number {
    return this.machine.pages.take(Role.Table, true);
  }

  /** Runs the bodies; the result of each operation in the order in which they ended. */
  run(program: Program, scheduler: Scheduler, limits = LIMITS): number[] {
    const { machine } = this;
    machine.load(
      ACTORS.map(({ name }) =>
        (program[name] ?? []).map((start, i) => ({ key: `${name}.${i}`, implicit: false, start })),
      ),
    );
    machine.run(scheduler, limits);
    return this.rows(Event.OperationEnd).map((row) => row.b);
  }

  rows(...kinds: readonly EventCode[]): Row[] {
    const { trace } = this.machine;
    const all = Array.from({ length: trace.count }, (_, row) => trace.at(row));
    return kinds.length === 0 ? all : all.filter((row) => kinds.includes(row.kind));
  }

  /** Digest, schedule and every word: what two equal runs have in common. */
  outcome(): unknown {
    const { machine } = this;
    const { frames, wordsPerPage } = machine.memory;
    const words = Array.from({ length: frames * wordsPerPage }, (_, i) => this.load(i));
    return [machine.trace.digest, machine.steps, machine.events, machine.answers.answers, words];
  }
}

/** Who makes the next event, with `*n` for several; or a look at the machine between two events. */
export type Cue = string | ((machine: Machine) => void);

/**
 * Follows a script and fails when somebody in it is not ready; afterwards the running actor goes on
 * while it can, then the first ready source. An arrival at PE 0 is called `tlbi@0`.
 */
export class Script implements Scheduler {
  readonly id = 'script';
  readonly #cues: Cue[];
  readonly #choices: ReadonlyMap<number, number>;
  readonly #machine: Machine;

  /** @param choices answers that differ from the default, by site; given each time it is asked */
  constructor(bench: Workbench, cues: readonly Cue[], choices: Iterable<[number, number]> = []) {
    this.#machine = bench.machine;
    this.#cues = cues.flatMap((cue): Cue[] => (typeof cue === 'string' ? repeat(cue) : [cue]));
    this.#choices = new Map(choices);
  }

  /** Cues that were not reached. */
  get left(): number {
    return this.#cues.length;
  }

  begin(_machine: Scheduling): void {}

  pick(machine: Scheduling): number {
    for (;;) {
      const cue = this.#cues.shift();
      if (cue === undefined) break;
      if (typeof cue === 'string') return sourceOf(this.#machine, cue);
      cue(this.#machine);
    }
    if (machine.current >= 0 && machine.isReady(machine.current)) return machine.current;
    return Math.min(...machine.ready.subarray(0, machine.readyCount));
  }

  choose(_machine: Scheduling, site: number): number {
    return this.#choices.get(site) ?? 0;
  }
}

function repeat(cue: string): string[] {
  const [name = '', times = '1'] = cue.split('*');
  return Array.from({ length: Number(times) }, () => name);
}

export function isReady(machine: Machine, name: string): boolean {
  return readySource(machine, name) >= 0;
}

function readySource(machine: Machine, name: string): number {
  const actor = ACTORS.findIndex((spec) => spec.name === name);
  if (actor >= 0) return machine.isReady(actor) ? actor : -1;
  const pe = Number(name.slice('tlbi@'.length));
  const arrivals = [...machine.ready.subarray(0, machine.readyCount)].filter(
    (source) => source >= machine.actorCount && machine.pending(source).pe === pe,
  );
  return Math.min(...(arrivals.length === 0 ? [-1] : arrivals));
}

function sourceOf(machine: Machine, name: string): number {
  const source = readySource(machine, name);
  if (source < 0) throw new InternalError(`the script names ${name}, which is not ready`);
  return source;
}

/** Draws from a list of numbers, over and over: what a property test varies. */
export class Drawn implements Scheduler {
  readonly id = 'drawn';
  readonly #numbers: readonly number[];
  readonly #isChoosing: boolean;
  #next = 0;

  constructor(numbers: readonly number[], isChoosing = true) {
    this.#numbers = numbers;
    this.#isChoosing = isChoosing;
  }

  begin(_machine: Scheduling): void {}

  pick(machine: Scheduling): number {
    return machine.ready[this.#below(machine.readyCount)]!;
  }

  choose(_machine: Scheduling, _site: number, alternatives: number): number {
    return this.#isChoosing ? this.#below(alternatives) : 0;
  }

  #below(limit: number): number {
    const index = this.#next % this.#numbers.length;
    this.#next += 1;
    // mixes in the position, so that a short list does not repeat itself exactly
    return (this.#numbers[index]! + Math.floor(this.#next / this.#numbers.length)) % limit;
  }
}

/** Gives recorded answers once more. */
export class Recorded implements Scheduler {
  readonly id = 'recorded';
  readonly #sources: number[];
  readonly #replies: ReadonlyMap<number, number>;
  #asked = 0;

  constructor({ sources, counts, questions, replies }: Answers) {
    this.#sources = sources.flatMap((source, i) => Array(counts[i]!).fill(source));
    this.#replies = new Map(questions.map((question, i) => [question, replies[i]!]));
  }

  begin(_machine: Scheduling): void {}

  pick(): number {
    return this.#sources.shift()!;
  }

  choose(): number {
    this.#asked += 1;
    return this.#replies.get(this.#asked - 1) ?? 0;
  }
}
