/**
 * What the guests of one machine share: PEs, and the numbers (VMIDs) that tell their translations apart. There
 * is one where a configuration has more than one guest.
 */
import type { Actor } from '../../sim/actor.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import type { Variables } from '../../sim/variables.ts';
import type { GuestNumber, VmidWords } from './vmid.ts';

/** Locks of the allocator of numbers, and the first of those that stand for running on a PE. */
export const VMID_LOCK = 9;
const PE_LOCKS = 10;

/** Lock of running on a PE: its holder is not interrupted there by anybody else's thread. */
export function peLock(pe: number): number {
  return PE_LOCKS + pe;
}

export class Sharing {
  readonly vmids: VmidWords;
  /** By PE: the vCPU (+1) that is loaded there, or 0. */
  readonly loaded: WordAddress;
  readonly #machine: Machine;
  readonly #isMask: boolean;
  readonly #newcomers: GuestNumber;
  /** By actor, private to it: it runs a guest and owns its PE. */
  readonly #isRunning: boolean[] = [];
  /** By actor: the input page that the vCPU's own stage 1 names was changed an odd number of times. */
  readonly #isRemapped: boolean[] = [];

  /** @param isMask the allocator has a bit for each number, instead of counting */
  constructor(machine: Machine, variables: Variables, isMask: boolean) {
    this.#isMask = isMask;
    const pes = machine.pes.length;
    this.#machine = machine;
    this.vmids = {
      generation: variables.allocate('VMID generation'),
      numbers: variables.allocate('VMIDs in use'),
      active: variables.allocate('active VMID of PE', pes),
      reserved: variables.allocate('reserved VMID of PE', pes),
    };
    this.loaded = variables.allocate('vCPU loaded on PE', pes);
    this.#newcomers = {
      own: variables.allocate('VMID of a newcomer', machine.actors.length),
      number: variables.allocate('VMID of a newcomer', machine.actors.length),
      base: variables.allocate('VTTBR of a newcomer', machine.actors.length),
      tree: -1,
      root: 0,
    };
  }

  /** @param spent numbers that guests of the past have used in this generation */
  reset(spent: number): void {
    const { memory } = this.#machine;
    this.#isRunning.length = 0;
    this.#isRemapped.length = 0;
    memory.store(this.vmids.generation, 1, 0);
    // the next number; or, as a bit mask, what is taken, number 0 included: no guest has it
    const next = spent + 1;
    memory.store(this.vmids.numbers, this.#isMask ? (1 << next) - 1 : next, 0);
  }

  isRunning(self: Actor): boolean {
    return this.#isRunning[self.index] === true;
  }

  setRunning(self: Actor, isRunning: boolean): void {
    this.#isRunning[self.index] = isRunning;
  }

  /** Input page to which the stage 1 of a vCPU maps its private page: different for each of a guest. */
  privatePage(self: Actor): number {
    return (self.index & 1) | (this.#isRemapped[self.index] === true ? 2 : 0);
  }

  remapPrivate(self: Actor): void {
    this.#isRemapped[self.index] = this.#isRemapped[self.index] !== true;
  }

  /** A guest that starts, of which nobody else knows yet. */
  newcomer(self: Actor): GuestNumber {
    const { own, number, base, tree, root } = this.#newcomers;
    this.#machine.memory.store(own + self.index, 0, 0);
    return {
      own: own + self.index,
      number: number + self.index,
      base: base + self.index,
      tree,
      root,
    };
  }
}
