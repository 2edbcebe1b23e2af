/**
 * The shadows: one object for each slot of the array of MMUs, for what never changes about it. What does change lies
 * in the array, in memory: see mmu-array.ts.
 */
import { baseRegister } from '../../sim/access.ts';
import type { Actor } from '../../sim/actor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import type { WordAddress } from '../../sim/memory.ts';
import type { BugId as KvmBugId } from '../kvm-arm64/bugs.ts';
import type { Generation } from '../kvm-arm64/generation.ts';
import type { Stage2 } from '../kvm-arm64/stage2.ts';
import type { TableWalk } from '../kvm-arm64/walker.ts';
import type { KvmWorld } from '../kvm-arm64/world.ts';
import { shadowTree, shadowVmid } from './machine.ts';

export class Shadow implements Stage2 {
  readonly slot: number;
  /** Its tree among the machine's. */
  readonly tree: number;
  readonly vmid: number;
  readonly geometry: Geometry;
  readonly generation: Generation;
  readonly sharesPes = false;
  /** Root frame that is loaded into VTTBR; 0 while there is none. */
  readonly contextWord: WordAddress;
  readonly walks: readonly TableWalk[];
  readonly #host: KvmWorld;

  constructor(host: KvmWorld, slot: number, contextWord: WordAddress) {
    this.slot = slot;
    this.tree = shadowTree(slot);
    this.vmid = shadowVmid(slot);
    this.geometry = host.geometry;
    this.generation = host.generation;
    this.contextWord = contextWord;
    this.walks = host.walks;
    this.#host = host;
  }

  bug(id: KvmBugId): boolean {
    return this.#host.bug(id);
  }

  count(frame: number): WordAddress {
    return this.#host.count(frame);
  }

  cache(self: Actor): number[] {
    return this.#host.cache(self);
  }

  registerOf(root: number): number {
    return baseRegister(root, this.vmid);
  }
}
