/**
 * What is always true of the shadows when the MMU lock is dropped.
 * Source: spec/arm.md 5.3, N1 to N4, N7; zoo A32.
 */
import { frameOf, isValid, RIGHTS } from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { grantedFrame } from '../kvm-arm64/host-memory.ts';
import { Lock } from './machine.ts';
import { contextOf, Field, fieldWord, keyOf } from './mmu-array.ts';
import { listedNodes, Node } from './rfc.ts';
import { taggedLevel } from './tag.ts';
import type { VncrWords } from './vncr.ts';
import type { NestedWorld } from './world.ts';

const HOLDS = -1;

/** An MMU of the array at this instant. */
interface Mmu {
  readonly slot: number;
  readonly key: number;
  readonly references: number;
  readonly isPending: boolean;
  readonly root: number;
}

export function nestedInvariants(world: NestedWorld): readonly Invariant[] {
  const rule = (
    id: string,
    title: string,
    broken: (mmus: readonly Mmu[]) => number,
  ): Invariant => ({
    id,
    title,
    lock: Lock.Mmu,
    broken: () => broken(mmusOf(world)),
  });
  return [
    rule('N1-one-mmu-per-context', 'no context of the guest has two MMUs', (mmus) => {
      const used = mmus.filter(({ key }) => key !== 0);
      const doubled = used.find(({ key, slot }) =>
        used.some((o) => o.key === key && o.slot > slot),
      );
      return doubled?.root ?? HOLDS;
    }),
    rule('N2-held-mmu-keeps-its-context', 'an MMU stands for what its users run with', (mmus) => {
      for (const { slot, context } of world.vcpus) {
        if (slot < 0) continue;
        const mmu = mmus.find((one) => one.slot === slot);
        // its tables are gone, and it stands for nothing any more
        if (mmu?.key === 0 && mmu.root === 0) continue;
        if (mmu === undefined || mmu.references <= 0 || mmu.key !== keyOf(context))
          return mmu?.root ?? 0;
      }
      return HOLDS;
    }),
    rule(
      'N3-emptied-before-it-is-run',
      'nobody runs with an MMU that has to be emptied',
      (mmus) => {
        const { pes } = world.machine;
        const isRun = ({ root }: Mmu): boolean =>
          pes.some(({ guest, vttbr }) => guest && vttbr >>> 8 === root);
        return mmus.find((mmu) => mmu.isPending && isRun(mmu))?.root ?? HOLDS;
      },
    ),
    rule(
      'N4-containment',
      'a shadow maps only what the guest’s table and the host have allowed',
      (mmus) => {
        for (const mmu of mmus)
          if (mmu.key !== 0 && !mmu.isPending && !isContained(world, mmu)) return mmu.root;
        return HOLDS;
      },
    ),
    ...(world.vncr === undefined ? [] : vncrInvariants(world, world.vncr)),
    rule('used-mmu-has-table', 'an MMU that stands for a context has a table', (mmus) =>
      mmus.some(({ key, root }) => key !== 0 && root === 0) ? 0 : HOLDS,
    ),
  ];
}

/** What the host has of the pages in which the guest's registers lie. */
function vncrInvariants(world: NestedWorld, words: VncrWords): readonly Invariant[] {
  const { memory } = world.machine;
  const vcpus = Array.from({ length: world.configuration.vcpus }, (_, vcpu) => vcpu);
  const load = (word: WordAddress, vcpu: number): number => memory.load(word + vcpu);
  const rule = (id: string, title: string, holds: (vcpu: number) => boolean): Invariant => ({
    id,
    title,
    lock: Lock.Mmu,
    broken: () => (vcpus.every(holds) ? HOLDS : 0),
  });
  // when no vCPU can run any more, what is left of its entry is nothing to anybody
  const isValid = (vcpu: number): boolean =>
    load(words.valid, vcpu) !== 0 && memory.load(world.host.users) !== 0;
  return [
    rule('vncr-complete', 'a valid VNCR entry has a size', (vcpu) => {
      return !isValid(vcpu) || load(words.size, vcpu) !== 0;
    }),
    rule('vncr-backed', 'a valid VNCR entry names the frame that backs its page', (vcpu) => {
      const frame = grantedFrame(world.host, load(words.page, vcpu));
      return !isValid(vcpu) || load(words.frame, vcpu) === frame;
    }),
    rule(
      'vncr-mapped-by-guest',
      'a valid VNCR entry is what the guest maps, or has not invalidated',
      (vcpu) => {
        const page = load(words.page, vcpu);
        const isPast = world.vncrPast[vcpu]!.some((past) => past.page === page);
        return !isValid(vcpu) || isPast || page === load(words.guestPage, vcpu);
      },
    ),
    rule('vncr-owner', 'a VNCR page is mapped on the PE that owns it, and counted', (vcpu) => {
      const owner = load(words.owner, vcpu);
      const isMapped = load(words.mapped, vcpu) !== 0;
      const maps = vcpus.filter((one) => load(words.owner, one) !== 0).length;
      return isMapped === (owner === vcpu + 1) && memory.load(words.maps) === maps;
    }),
  ];
}

/** MMUs on the list of the design first posted: nobody counts their users, and none changes its use. */
function listedMmus(world: NestedWorld): readonly Mmu[] {
  const { memory } = world.machine;
  return listedNodes(world).map((node) => ({
    slot: memory.load(memory.address(node, Node.Slot)),
    key: memory.load(memory.address(node, Node.Key)),
    references: 1,
    isPending: false,
    root: memory.load(memory.address(node, Node.Root)),
  }));
}

function mmusOf(world: NestedWorld): readonly Mmu[] {
  if (world.isRfc) return listedMmus(world);
  const { memory } = world.machine;
  const base = memory.load(world.arrayBase);
  const load = (slot: number, field: Field): number =>
    memory.load(fieldWord(world, base, slot, field));
  return Array.from({ length: memory.load(world.arrayCount) }, (_, slot) => ({
    slot,
    key: load(slot, Field.Key),
    references: load(slot, Field.References),
    isPending: load(slot, Field.Pending) !== 0,
    root: load(slot, Field.Root),
  }));
}

/**
 * Every entry is explained by a leaf that the guest has had since it invalidated the page last, with its rights, its
 * size and its level in the tag (N4, N7), and by the frame that backs what that leaf names.
 */
function isContained(world: NestedWorld, { slot, key }: Mmu): boolean {
  const { isOn, table } = contextOf(key);
  const { entries, levels } = world.machine.tables.trees[world.shadows[slot]!.tree]!;
  for (let page = 0; page < entries.length; page += 1) {
    const entry = entries[page]!;
    if (!isValid(entry)) continue;
    const level = levels[page]!;
    const fits = (target: number, rights: number, guestLevel: number): boolean =>
      grantedFrame(world.host, target) === frameOf(entry) &&
      (entry & RIGHTS & ~rights) === 0 &&
      level >= guestLevel &&
      taggedLevel(entry) === guestLevel;
    const isExplained = isOn
      ? world.history.some(table, page, (leaf, at) => fits(frameOf(leaf), leaf & RIGHTS, at))
      : fits(page, RIGHTS, LAST_LEVEL);
    if (!isExplained) return false;
  }
  return true;
}
