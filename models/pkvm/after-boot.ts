/**
 * The machine after the hypervisor has booted: its own map of its image and pools, the host's table in which these are not the
 * host's, and two guests whose roots, caches and pinned pages lie in memory that the host gave away.
 *
 * Memory pages, from the first: two whose state a case chooses, three of the host, a table page of each guest, a cached page of
 * guest 1, the roots of guest 1 and 0 (two pages each), a cached page of guest 0, the pages that vCPUs of guest 1 and 0
 * have pinned, one lent to the hypervisor.
 */
import { baseRegister } from '../../sim/access.ts';
import { ACCESSED, frameOf, isTable, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { indexAt, LAST_LEVEL, rootIndex } from '../../sim/geometry.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { PageState } from '../../sim/ownership.ts';
import { Role } from '../../sim/pages.ts';
import type { BugId } from './bugs.ts';
import {
  BLOCK,
  guestLeaf,
  HOST_POOL,
  HOST_POOL_PAGES,
  HYP_POOL,
  hostLeaf,
  hypLeaf,
  MEMORY,
} from './layout.ts';
import { limitFor } from './pool.ts';
import { record, tag } from './records.ts';
import { annotation, bit, claimOwner, POISON } from './transitions.ts';
import { GuestState, Owner, type PkvmWorld, PLAIN, rangeWord, type Stage, VCPUS } from './world.ts';

/** States of the first two memory pages that a case may choose, in this order. */
export const PAGE_STARTS = [
  'the host’s',
  'the hypervisor’s',
  'shared with the hypervisor',
  'shared over FF-A',
  'shared with guest 1',
  'guest 0’s',
  'shared by guest 0',
  'the host’s; the first: a block elsewhere is shared with guest 1; the second: taken from guest 0 by force',
] as const;

/** Which guests there are: both; the first or the second one dying; no second one. */
export const GUEST_STARTS = ['both', 'guest 0 dying', 'guest 1 dying', 'no guest 1'] as const;

/** Input pages at which guests have the first two pages, on both sides of a piece of teardown. */
export const GUEST_PAGES = [3, 4] as const;

const TABLE_OF = [MEMORY + 6, MEMORY + 5] as const;
const ROOT_OF = [MEMORY + 10, MEMORY + 8] as const;
const CACHED_OF = [MEMORY + 12, MEMORY + 7] as const;
/** By guest: the page that its vCPUs have pinned. */
export const PINNED_PAGES = [MEMORY + 14, MEMORY + 13] as const;
export const LENT = MEMORY + 15;

/** What putting the machine together comes to. */
const Step = { Put: 0, Enter: 1, Assign: 2, Plant: 3, Claim: 4, Flag: 5 } as const;
type Step = (typeof Step)[keyof typeof Step];

/** How a machine is put together: steps, four numbers each, and the flags that are asked for on the way. */
export interface BootSteps {
  readonly numbers: Int32Array;
  readonly flags: readonly BugId[];
}

function perform(machine: Machine, step: number, a: number, b: number, c: number): void {
  switch (step) {
    case Step.Put:
      machine.memory.store(a, b, 0);
      return;
    case Step.Enter:
      machine.memory.store(a, b, 0);
      machine.tables.update(a, 0, b);
      return;
    case Step.Assign:
      machine.pages.assign(a, b as Role);
      return;
    case Step.Plant:
      machine.tables.plant(a, b);
      return;
    case Step.Claim:
      claimOwner(machine.actors[0]!, a, b, c);
      return;
    default:
  }
}

/** The steps of a boot with the same parameters, once more. */
function replay(world: PkvmWorld, { numbers, flags }: BootSteps): void {
  const { machine } = world;
  for (let at = 0; at < numbers.length; at += 4) {
    const step = numbers[at]!;
    const a = numbers[at + 1]!;
    // whether a run reads a flag does not depend on the runs before
    if (step === Step.Flag) world.bug(flags[a]!);
    else perform(machine, step, a, numbers[at + 2]!, numbers[at + 3]!);
  }
}

/** Puts the machine together, and keeps the steps: they are the same whenever the parameters are. */
class Boot {
  readonly #world: PkvmWorld;
  readonly #numbers: number[] = [];
  readonly #flags: BugId[] = [];
  /** By tree: table pages that it takes next. */
  readonly #next = new Map<Stage, number>();

  constructor(world: PkvmWorld) {
    this.#world = world;
  }

  get steps(): BootSteps {
    return { numbers: Int32Array.from(this.#numbers), flags: this.#flags };
  }

  #do(step: Step, a: number, b = 0, c = 0): void {
    this.#numbers.push(step, a, b, c);
    perform(this.#world.machine, step, a, b, c);
  }

  #bug(id: BugId): boolean {
    if (!this.#flags.includes(id)) this.#do(Step.Flag, this.#flags.push(id) - 1);
    return this.#world.bug(id);
  }

  put(word: WordAddress, value: number): void {
    this.#do(Step.Put, word, value);
  }

  assign(frame: number, role: Role): void {
    this.#do(Step.Assign, frame, role);
  }

  own(frame: number, owner: number, reach: number): void {
    this.#do(Step.Claim, frame, owner, reach);
  }

  /** Pages taken since `begin`. */
  taken(stage: Stage, first: number): number {
    return this.#next.get(stage)! - first;
  }

  /** The first pages from here are the root of a stage, the next ones its tables. */
  begin(stage: Stage, first: number, tables = first + stage.geometry.rootPages): void {
    this.put(stage.root, first);
    for (let i = 0; i < stage.geometry.rootPages; i += 1) this.#asTable(first + i);
    this.#do(Step.Plant, stage.tree, first);
    if (this.#bug('A46-root-counted-as-one') && stage.geometry.rootPages > 1)
      this.put(this.#world.count(first + 1), 0);
    this.#next.set(stage, tables);
  }

  #asTable(frame: number): void {
    this.assign(frame, Role.Table);
    this.put(this.#world.count(frame), 1);
  }

  /** Writes an entry of a linked table and counts it. */
  entry(stage: Stage, page: number, level: number, value: number): void {
    const { memory } = this.#world.machine;
    const { geometry } = stage;
    let frame = memory.load(stage.root) + rootIndex(geometry, page);
    for (let at = geometry.startLevel; at < level; at += 1) {
      const word = memory.address(frame, indexAt(geometry, page, at));
      let next = memory.load(word);
      if (!isTable(next)) {
        const child = this.#next.get(stage)!;
        this.#next.set(stage, child + 1);
        this.#asTable(child);
        next = table(child);
        this.#write(frame, word, next);
      }
      frame = frameOf(next);
    }
    this.#write(frame, memory.address(frame, indexAt(geometry, page, level)), value);
  }

  #write(frame: number, word: WordAddress, value: number): void {
    const { machine } = this.#world;
    this.#do(Step.Enter, word, value);
    if (this.#bug('M18-counts-not-fixed') && frame < HOST_POOL) return;
    const count = this.#world.count(frame);
    this.put(count, machine.memory.load(count) + 1);
  }
}

export function bootOwnership(
  world: PkvmWorld,
  parameters: Readonly<Record<string, number>>,
): void {
  const { first = 0, second = 0, guests = 0 } = parameters;
  const key = first | (second << 4) | (guests << 8);
  const known = world.boots.get(key);
  if (known === undefined) world.boots.set(key, putTogether(world, parameters));
  else replay(world, known);
  loadRegisters(world);
}

function putTogether(world: PkvmWorld, parameters: Readonly<Record<string, number>>): BootSteps {
  const boot = new Boot(world);
  const guests = parameters.guests ?? 0;
  const isOneMissing = guests === 3;
  boot.begin(world.hyp, HYP_POOL);
  boot.begin(world.host, HOST_POOL);
  mapImage(world, boot);
  for (let guest = 0; guest < (isOneMissing ? 1 : 2); guest += 1) makeGuest(world, boot, guest);
  if (guests === 1 || guests === 2) boot.put(world.guests[guests - 1]!.state, GuestState.Dying);
  startPage(world, boot, 0, parameters.first ?? 0, isOneMissing);
  startPage(world, boot, 1, parameters.second ?? 0, isOneMissing);
  giveToHyp(world, boot, LENT);
  lendAtBoot(world, boot, LENT);
  for (let guest = 0; guest < (isOneMissing ? 1 : 2); guest += 1) fillCache(world, boot, guest);
  if (world.configuration.isLogged) {
    boot.put(world.reservedHandle, PLAIN);
    if (!isOneMissing) boot.put(world.toldHandle, PLAIN);
  }
  const put = boot.put.bind(boot);
  const { hypPool, hostPool, configuration } = world;
  world.fillPool(hypPool, HYP_POOL, configuration.poolPages, boot.taken(world.hyp, HYP_POOL), put);
  world.fillPool(hostPool, HOST_POOL, HOST_POOL_PAGES, boot.taken(world.host, HOST_POOL), put);
  return boot.steps;
}

/** Image and pools: the hypervisor's, block by block. */
function mapImage(world: PkvmWorld, boot: Boot): void {
  for (let first = 0; first < MEMORY; first += BLOCK) {
    boot.entry(world.hyp, first, LAST_LEVEL - 1, leaf(first, READ | WRITE | ACCESSED));
    boot.entry(world.host, first, LAST_LEVEL - 1, annotation(Owner.Hyp));
  }
}

function giveToHyp(world: PkvmWorld, boot: Boot, frame: number): void {
  boot.entry(world.hyp, frame, LAST_LEVEL, hypLeaf(frame));
  boot.entry(world.host, frame, LAST_LEVEL, annotation(Owner.Hyp));
  boot.put(world.record(frame), record(PageState.None, PageState.Owned));
  boot.own(frame, Owner.Hyp, bit(Owner.Hyp));
}

function lendAtBoot({ machine, lent }: PkvmWorld, boot: Boot, frame: number): void {
  boot.put(lent, machine.memory.load(lent) | (1 << (frame - MEMORY)));
}

function makeGuest(world: PkvmWorld, boot: Boot, guest: number): void {
  const words = world.guests[guest]!;
  const stage = world.stages[guest]!;
  const root = ROOT_OF[guest]!;
  for (const frame of [root, root + 1, TABLE_OF[guest]!, CACHED_OF[guest]!])
    giveToHyp(world, boot, frame);
  boot.put(words.state, GuestState.Alive);
  boot.put(stage.pool.range, rangeWord(root, 2));
  boot.put(stage.pool.maxOrder, limitFor(world, 2));
  boot.begin(stage, root, TABLE_OF[guest]!);
  const frame = PINNED_PAGES[guest]!;
  const pins = guest === 0 ? VCPUS : 1;
  for (let vcpu = 0; vcpu < pins; vcpu += 1) {
    boot.put(words.vcpu + vcpu, 1);
    boot.put(words.vcpuPage + vcpu, frame);
  }
  boot.put(world.count(frame), pins);
  boot.entry(world.hyp, frame, LAST_LEVEL, hypLeaf(frame));
  shareWithHyp(world, boot, frame);
}

function shareWithHyp(world: PkvmWorld, boot: Boot, frame: number): void {
  boot.put(world.record(frame), record(PageState.SharedOwned, PageState.SharedBorrowed));
  boot.own(frame, Owner.Host, bit(Owner.Host) | bit(Owner.Hyp));
}

/** vCPU 0 has one page set aside, and vCPU 1 of a guest the one that is no table. */
function fillCache(world: PkvmWorld, boot: Boot, guest: number): void {
  const words = world.guests[guest]!;
  const give = (vcpu: number, frame: number): void => {
    boot.assign(frame, Role.Kernel);
    boot.put(words.cacheHead + vcpu, frame);
    boot.put(words.cacheCount + vcpu, 1);
  };
  give(0, CACHED_OF[guest]!);
  if (boot.taken(world.stages[guest]!, TABLE_OF[guest]!) === 0) give(1, TABLE_OF[guest]!);
}

function startPage(
  world: PkvmWorld,
  boot: Boot,
  index: 0 | 1,
  start: number,
  isOneMissing: boolean,
): void {
  const frame = MEMORY + index;
  const page = GUEST_PAGES[index];
  const { Owned, SharedOwned, SharedBorrowed, None } = PageState;
  const guestLeafOf = (guest: number, state: PageState): void =>
    boot.entry(world.stages[guest]!, page, LAST_LEVEL, guestLeaf(frame) | tag(state));
  switch (start) {
    case 1:
      giveToHyp(world, boot, frame);
      lendAtBoot(world, boot, frame);
      return;
    case 2:
      shareWithHyp(world, boot, frame);
      return;
    case 3:
      boot.put(world.record(frame), record(SharedOwned, None));
      boot.put(world.secureShares, world.machine.memory.load(world.secureShares) | (1 << index));
      boot.own(frame, Owner.Host, bit(Owner.Host) | bit(Owner.Secure));
      return;
    case 4:
      if (isOneMissing) return;
      boot.put(world.record(frame), record(SharedOwned, None));
      boot.put(world.shares(frame), 1);
      guestLeafOf(1, SharedBorrowed);
      boot.own(frame, Owner.Host, bit(Owner.Host) | bit(Owner.Guest + 1));
      return;
    case 5:
      boot.put(world.record(frame), record(None, None));
      boot.entry(world.host, frame, LAST_LEVEL, annotation(Owner.Guest, page));
      guestLeafOf(0, Owned);
      boot.own(frame, Owner.Guest, bit(Owner.Guest));
      return;
    case 6:
      boot.put(world.record(frame), record(SharedBorrowed, None));
      boot.own(frame, Owner.Guest, bit(Owner.Guest));
      boot.entry(world.host, frame, LAST_LEVEL, hostLeaf(frame));
      guestLeafOf(0, SharedOwned);
      boot.own(frame, Owner.Guest, bit(Owner.Guest) | bit(Owner.Host));
      return;
    case 7:
      if (index === 1) boot.entry(world.stages[0]!, page, LAST_LEVEL, POISON);
      else if (!isOneMissing) shareBlock(world, boot);
      return;
    default:
  }
}

/** Where guest 1 has a block that the host shares, and which pages it is. */
export const SHARED_BLOCK = { page: BLOCK, frame: MEMORY + 2 * BLOCK } as const;

function shareBlock(world: PkvmWorld, boot: Boot): void {
  const { page, frame: first } = SHARED_BLOCK;
  for (let frame = first; frame < first + BLOCK; frame += 1) {
    boot.put(world.record(frame), record(PageState.SharedOwned, PageState.None));
    boot.put(world.shares(frame), 1);
    boot.own(frame, Owner.Host, bit(Owner.Host) | bit(Owner.Guest + 1));
  }
  const leaf = guestLeaf(first) | tag(PageState.SharedBorrowed);
  boot.entry(world.stages[1]!, page, LAST_LEVEL - 1, leaf);
}

function loadRegisters({ machine, host, hyp }: PkvmWorld): void {
  const hostRoot = machine.memory.load(host.root);
  const hypRoot = machine.memory.load(hyp.root);
  for (const pe of machine.pes) {
    pe.vttbr = baseRegister(hostRoot, host.vmid);
    pe.vttbrGeneration = machine.pages.generation[hostRoot]!;
    pe.ttbr0 = baseRegister(hypRoot, 0);
    pe.ttbr0Generation = machine.pages.generation[hypRoot]!;
  }
}
