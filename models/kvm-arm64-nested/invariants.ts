/**
 * What is always true of the shadows, and of the pages in which registers lie, when the MMU lock is dropped.
 * Source: spec/arm.md 5.3, N1 to N4, N7; zoo A32 to A35.
 */
import { frameOf, isValid, RIGHTS } from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { grantedFrame } from '../kvm-arm64/host-memory.ts';
import { Lock } from './machine.ts';
import { contextOf, FIELDS, Field, fieldWord, keyOf } from './mmu-array.ts';
import { listedNodes, Node } from './rfc.ts';
import { taggedLevel } from './tag.ts';
import type { VncrWords } from './vncr.ts';
import type { NestedWorld, Vcpu } from './world.ts';

const HOLDS = -1;

export function nestedInvariants(world: NestedWorld): readonly Invariant[] {
  const mmus = world.isRfc ? new ListedMmus(world) : new ArrayMmus(world);
  const contained = new Containment(world, mmus);
  const rule = (id: string, title: string, broken: () => number): Invariant => ({
    id,
    title,
    lock: Lock.Mmu,
    broken,
  });
  return [
    rule('N1-one-mmu-per-context', 'no context of the guest has two MMUs', () => twins(mmus)),
    rule('N2-held-mmu-keeps-its-context', 'an MMU stands for what its users run with', () => {
      for (const vcpu of world.vcpus) if (!isHeld(mmus, vcpu)) return mmus.root(mmus.place(vcpu));
      return HOLDS;
    }),
    rule('N3-emptied-before-it-is-run', 'nobody runs with an MMU that has to be emptied', () =>
      runPending(world, mmus),
    ),
    rule(
      'N4-containment',
      'a shadow maps only what the guest’s table and the host have allowed',
      () => contained.broken(),
    ),
    rule('used-mmu-has-table', 'an MMU that stands for a context has a table', () => {
      for (let at = 0; at < mmus.count; at += 1)
        if (mmus.key(at) !== 0 && mmus.root(at) === 0) return 0;
      return HOLDS;
    }),
    ...(world.vncr === undefined ? [] : vncrInvariants(world, world.vncr)),
  ];
}

/** The MMUs that there are at this instant, by their place in the array or on the list. */
interface Mmus {
  readonly count: number;
  key(at: number): number;
  references(at: number): number;
  isPending(at: number): boolean;
  root(at: number): number;
  /** Which of the shadows it is. */
  slot(at: number): number;
  /** Place of the MMU that the vCPU holds; -1 when it is not there. */
  place(vcpu: Vcpu): number;
}

/** Every rule looks at the same instant: the words are read once for it. */
class ArrayMmus implements Mmus {
  readonly #world: NestedWorld;
  readonly #words: Int32Array;
  #count = 0;
  /** Rows of the trace, and the run, when the words were read. */
  #rows = -1;
  #run = -1;

  constructor(world: NestedWorld) {
    this.#world = world;
    this.#words = new Int32Array(FIELDS * world.shadows.length);
  }

  #look(): void {
    const { machine, runs } = this.#world;
    if (this.#rows === machine.trace.count && this.#run === runs) return;
    this.#rows = machine.trace.count;
    this.#run = runs;
    const { memory } = machine;
    const base = memory.load(this.#world.arrayBase);
    this.#count = memory.load(this.#world.arrayCount);
    for (let at = 0; at < this.#count; at += 1) {
      for (let field = 0; field < FIELDS; field += 1) {
        const word = fieldWord(this.#world, base, at, field as Field);
        this.#words[at * FIELDS + field] = memory.load(word);
      }
    }
  }

  get count(): number {
    this.#look();
    return this.#count;
  }

  #load(at: number, field: Field): number {
    this.#look();
    return at < 0 ? 0 : this.#words[at * FIELDS + field]!;
  }

  key(at: number): number {
    return this.#load(at, Field.Key);
  }

  references(at: number): number {
    return this.#load(at, Field.References);
  }

  isPending(at: number): boolean {
    return this.#load(at, Field.Pending) !== 0;
  }

  root(at: number): number {
    return this.#load(at, Field.Root);
  }

  slot(at: number): number {
    return at;
  }

  place({ slot }: Vcpu): number {
    return slot < this.count ? slot : -1;
  }
}

/** The list of the design first posted: nobody counts users there, and no MMU has to be emptied later. */
class ListedMmus implements Mmus {
  readonly #world: NestedWorld;

  constructor(world: NestedWorld) {
    this.#world = world;
  }

  get count(): number {
    return listedNodes(this.#world).length;
  }

  #load(at: number, field: (typeof Node)[keyof typeof Node]): number {
    const { memory } = this.#world.machine;
    const node = listedNodes(this.#world)[at];
    return node === undefined ? 0 : memory.load(memory.address(node, field));
  }

  key(at: number): number {
    return this.#load(at, Node.Key);
  }

  references(): number {
    return 1;
  }

  isPending(): boolean {
    return false;
  }

  root(at: number): number {
    return this.#load(at, Node.Root);
  }

  slot(at: number): number {
    return this.#load(at, Node.Slot);
  }

  place({ slot }: Vcpu): number {
    return listedNodes(this.#world).findIndex((_, at) => this.slot(at) === slot);
  }
}

/** The root of an MMU that stands for the context of another one as well. */
function twins(mmus: Mmus): number {
  const { count } = mmus;
  for (let at = 0; at < count; at += 1) {
    const key = mmus.key(at);
    for (let other = at + 1; key !== 0 && other < count; other += 1) {
      if (mmus.key(other) === key) return mmus.root(at);
    }
  }
  return HOLDS;
}

function isHeld(mmus: Mmus, vcpu: Vcpu): boolean {
  if (vcpu.slot < 0) return true;
  const at = mmus.place(vcpu);
  // its tables are gone, and it stands for nothing any more
  if (at >= 0 && mmus.key(at) === 0 && mmus.root(at) === 0) return true;
  return at >= 0 && mmus.references(at) > 0 && mmus.key(at) === keyOf(vcpu.context);
}

function runPending({ machine }: NestedWorld, mmus: Mmus): number {
  const { count } = mmus;
  for (let at = 0; at < count; at += 1) {
    if (!mmus.isPending(at)) continue;
    const root = mmus.root(at);
    for (const { guest, vttbr } of machine.pes) if (guest && vttbr >>> 8 === root) return root;
  }
  return HOLDS;
}

/**
 * Every entry is explained by a leaf that the guest has had since it invalidated the page last, with its rights, its
 * size and its level in the tag (N4, N7), and by the frame that backs what that leaf names.
 */
class Containment {
  readonly #world: NestedWorld;
  readonly #mmus: Mmus;
  /** The entry that is to be explained, and its level. */
  #entry = 0;
  #level = 0;

  constructor(world: NestedWorld, mmus: Mmus) {
    this.#world = world;
    this.#mmus = mmus;
  }

  /** The root of a shadow with an entry that is not explained. What an MMU held before it is emptied is nobody's. */
  broken(): number {
    const mmus = this.#mmus;
    for (let at = 0; at < mmus.count; at += 1) {
      const key = mmus.key(at);
      if (key === 0 || mmus.isPending(at)) continue;
      if (!this.#isContained(key, this.#world.shadows[mmus.slot(at)]!.tree)) return mmus.root(at);
    }
    return HOLDS;
  }

  #isContained(key: number, tree: number): boolean {
    const { history, machine } = this.#world;
    const { entries, levels } = machine.tables.trees[tree]!;
    const { isOn, table } = contextOf(key);
    for (let page = 0; page < entries.length; page += 1) {
      if (!isValid(entries[page]!)) continue;
      this.#entry = entries[page]!;
      this.#level = levels[page]!;
      const isExplained = isOn
        ? history.some(table, page, this.#isLeafOf)
        : this.#fits(page, RIGHTS, LAST_LEVEL);
      if (!isExplained) return false;
    }
    return true;
  }

  readonly #isLeafOf = (leaf: number, level: number): boolean =>
    this.#fits(frameOf(leaf), leaf & RIGHTS, level);

  #fits(target: number, rights: number, level: number): boolean {
    return (
      grantedFrame(this.#world.host, target) === frameOf(this.#entry) &&
      (this.#entry & RIGHTS & ~rights) === 0 &&
      this.#level >= level &&
      taggedLevel(this.#entry) === level
    );
  }
}

/** What the host has of the pages in which the guest's registers lie. */
function vncrInvariants(world: NestedWorld, words: VncrWords): readonly Invariant[] {
  const { memory } = world.machine;
  const { vcpus } = world.configuration;
  const load = (word: WordAddress, vcpu: number): number => memory.load(word + vcpu);
  const rule = (id: string, title: string, holds: (vcpu: number) => boolean): Invariant => ({
    id,
    title,
    lock: Lock.Mmu,
    broken: () => {
      for (let vcpu = 0; vcpu < vcpus; vcpu += 1) if (!holds(vcpu)) return 0;
      return HOLDS;
    },
  });
  // when no vCPU can run any more, what is left of its entry is nothing to anybody
  const isInUse = (vcpu: number): boolean =>
    load(words.valid, vcpu) !== 0 && memory.load(world.host.users) !== 0;
  return [
    rule('vncr-complete', 'a valid VNCR entry has a size', (vcpu) => {
      return !isInUse(vcpu) || load(words.size, vcpu) !== 0;
    }),
    rule('vncr-backed', 'a valid VNCR entry names the frame that backs its page', (vcpu) => {
      const frame = grantedFrame(world.host, load(words.page, vcpu));
      return !isInUse(vcpu) || load(words.frame, vcpu) === frame;
    }),
    rule(
      'vncr-mapped-by-guest',
      'a valid VNCR entry is what the guest maps, or has not invalidated',
      (vcpu) => {
        const page = load(words.page, vcpu);
        const isPast = world.vncrPast[vcpu]!.some((past) => past.page === page);
        return !isInUse(vcpu) || isPast || page === load(words.guestPage, vcpu);
      },
    ),
    rule('vncr-owner', 'a VNCR page is mapped on the PE that owns it, and counted', (vcpu) => {
      const isMapped = load(words.mapped, vcpu) !== 0;
      let maps = 0;
      for (let one = 0; one < vcpus; one += 1) if (load(words.owner, one) !== 0) maps += 1;
      return (
        isMapped === (load(words.owner, vcpu) === vcpu + 1) && memory.load(words.maps) === maps
      );
    }),
  ];
}
