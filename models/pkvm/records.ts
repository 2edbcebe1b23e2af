/**
 * What the hypervisor writes down about each memory page: the host's state and its own in one word, and how often
 * the page is shared into guests. A word of zero says: the host's alone.
 *
 * Mirrors: Linux 6.15 and later, where these states moved out of the page tables; guests still keep theirs there.
 * Source: spec/arm.md 6.5.
 */
import { frameOf, isValid } from '../../sim/descriptor.ts';
import { type Ownership, PageState } from '../../sim/ownership.ts';
import { FRAMES, MEMORY, MEMORY_PAGES } from './layout.ts';
import { GUESTS, Lock, Owner, type PkvmWorld, PROTECTED, Tree } from './world.ts';

export function record(host: PageState, hyp: PageState): number {
  return host | ((PageState.None - hyp) << 2);
}

export function hostState(word: number): PageState {
  return (word & 3) as PageState;
}

export function hypState(word: number): PageState {
  return (PageState.None - ((word >>> 2) & 3)) as PageState;
}

/** Software bits of a guest's leaf hold its state. */
const STATE_SHIFT = 12;

export function tag(state: PageState): number {
  return state << STATE_SHIFT;
}

export function tagOf(leaf: number): PageState {
  return ((leaf >>> STATE_SHIFT) & 3) as PageState;
}

/** The accounts that oracles compare: each component's own. */
export function ownershipOf(world: PkvmWorld): Ownership {
  const { memory, tables } = world.machine;
  const guestState = (guest: number, frame: number): PageState => {
    const { entries, mapped, live } = tables.trees[Tree.Guest + guest]!;
    if (!live || mapped[frame] === 0) return PageState.None;
    return tagOf(entries.find((entry) => isValid(entry) && frameOf(entry) === frame)!);
  };
  return {
    hypervisor: Owner.Hyp,
    secretive: 1 << (Owner.Guest + PROTECTED),
    components: ['host', 'hypervisor', 'guest 0', 'guest 1', 'secure world'],
    first: 0,
    count: FRAMES,
    memoryFirst: MEMORY,
    memoryCount: MEMORY_PAGES,
    ownerAtBoot: (frame) => (frame < MEMORY ? Owner.Hyp : Owner.Host),
    lock: Lock.Host,
    references: (frame) => memory.load(world.count(frame)),
    recording: (1 << (Owner.Guest + GUESTS)) - 1,
    states(frame) {
      const word = memory.load(world.record(frame));
      let states = hostState(word) | (hypState(word) << 2);
      for (let guest = 0; guest < GUESTS; guest += 1)
        states |= guestState(guest, frame) << (2 * (Owner.Guest + guest));
      return states;
    },
  };
}
