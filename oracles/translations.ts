/**
 * Visits what a PE could still use: TLB entries and what walks in flight hold. Shared by the
 * oracles that ask "can anybody still reach this".
 */
import { levelShift } from '../sim/geometry.ts';
import type { Machine } from '../sim/machine.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import { TlbKind } from '../sim/tlb.ts';
import { Held, Phase } from '../sim/walk.ts';

/** One usable translation or table pointer; reused between visits, never kept. */
export class Translation {
  pe = 0;
  isTable = false;
  regime: Regime = 0;
  vmid = 0;
  first = 0;
  bits = 0;
  level = 0;
  word = 0;
  address = 0;
  instance = 0;
  generation = 0;
  row = 0;
}

/**
 * Fills `into` with the translation after position `cursor` and returns the next cursor; -1 when
 * there are no more. Start with 0.
 */
export function nextTranslation(machine: Machine, cursor: number, into: Translation): number {
  if (cursor === 0) machine.trace.noteLook();
  let pe = cursor >>> 8;
  let at = cursor & 0xff;
  while (pe < machine.pes.length) {
    const { tlb } = machine.pes[pe]!;
    if (at < tlb.count) {
      const kind = tlb.kind[at]!;
      into.pe = pe;
      into.isTable = kind === TlbKind.Table || kind === TlbKind.Table2;
      into.regime = kind >= TlbKind.Leaf2 ? Regime.Hypervisor : Regime.Guest;
      into.vmid = tlb.vmid[at]!;
      into.first = tlb.first[at]!;
      into.bits = tlb.bits[at]!;
      into.level = tlb.level[at]!;
      into.word = tlb.word[at]!;
      into.address = tlb.address[at]!;
      into.instance = tlb.instance[at]!;
      into.generation = tlb.generation[at]!;
      into.row = tlb.row[at]!;
      return (pe << 8) | (at + 1);
    }
    const walkers = machine.walkers[pe]!;
    for (let w = at - tlb.count; w < walkers.length; w += 1) {
      const { walk } = walkers[w]!;
      if (walk.phase === Phase.Lookup || walk.held === Held.Nothing) continue;
      const { spec, tables } = machine;
      const tree =
        tables.trees[walk.regime === Regime.Guest ? spec.guestTree : spec.hypervisorTree]!;
      const bits = levelShift(tree.geometry, walk.heldLevel);
      into.pe = pe;
      into.isTable = walk.held === Held.Table;
      into.regime = walk.regime;
      into.vmid = walk.vmid;
      into.first = bits > 30 ? 0 : (walk.page >>> bits) << bits;
      into.bits = bits;
      into.level = walk.heldLevel;
      into.word = walk.word;
      into.address = walk.address;
      into.instance = walk.instance;
      into.generation = walk.generation;
      into.row = walk.row;
      return (pe << 8) | (tlb.count + w + 1);
    }
    pe += 1;
    at = 0;
  }
  return -1;
}

/** The tree that a translation belongs to, if any PE can still use it. */
export function liveTreeOf(machine: Machine, translation: Translation): Tree | undefined {
  for (const tree of machine.tables.trees) {
    if (tree.loadable && tree.regime === translation.regime && tree.vmid === translation.vmid)
      return tree;
  }
  return undefined;
}

/** The guest tree whose root is in the register. */
export function loadedTree({ tables }: Machine, vttbr: number): Tree | undefined {
  const root = vttbr >>> 8;
  return tables.trees.find(
    (tree) => tree.loadable && tree.regime === Regime.Guest && tree.root === root,
  );
}

/** The tree through which an actor faults: where pages have owners, whichever of theirs its PE has loaded. */
export function faultingTree(machine: Machine, actor: number): number {
  const { tree, pe } = machine.actors[actor]!;
  if (machine.tables.trees[tree]!.component < 0) return tree;
  return loadedTree(machine, machine.pes[pe]!.vttbr)?.index ?? tree;
}

/** The tree that a fault was about; a guest whose trees are made from its own tables has several, of which one is loaded. */
export function faultedTree(machine: Machine, tree: number, vttbr: number): Tree {
  const { trees } = machine.tables;
  const own = trees[tree]!;
  return trees.some(({ isDerived }) => isDerived) ? (loadedTree(machine, vttbr) ?? own) : own;
}
