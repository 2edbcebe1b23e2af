/**
 * What is always true of the system's own lists and counts, for the oracle `system-invariant`.
 * Source: spec/x86-xen.md A18.4, A18.8, A18.12; amendments E9, E10.
 */
import { entriesPerTable } from '../../sim/geometry.ts';
import { AT_END, AT_TABLE_FREE, type Invariant } from '../../sim/invariant.ts';
import { isMmio, NONE } from './spte.ts';
import { type KvmWorld, Lock, ROOTS } from './world.ts';

export function invariantsOf(world: KvmWorld): readonly Invariant[] {
  const { memory, pages, spec } = world.machine;
  return [
    ...(world.configuration.listsTables ? [tableList(world)] : []),
    {
      id: 'recovery-list',
      title: 'members of the recovery list have their flag set, and are pages for tables',
      lock: Lock.Pages,
      broken() {
        let member = memory.load(world.listHead);
        for (let i = 0; member > 0 && i < spec.frames; i += 1) {
          if (memory.load(world.disallowed(member)) === 0 || pages.isFree(member)) return member;
          member = memory.load(world.listNext(member));
        }
        return -1;
      },
    },
    {
      id: 'listed-root-without-reference',
      title: 'a root on the list is referenced when nobody is about to take it off',
      lock: AT_END,
      broken() {
        for (let root = 0; root < ROOTS; root += 1) {
          if ((memory.load(world.rootList) & (1 << root)) === 0) continue;
          if (memory.load(world.rootCount + root) === 0) return memory.load(world.rootFrame + root);
        }
        return -1;
      },
    },
    {
      id: 'frozen-entry-changed',
      title:
        'nobody else changes an entry that was frozen or emptied when its table was taken apart',
      lock: AT_TABLE_FREE,
      broken(freed) {
        for (let index = 0; index < entriesPerTable(world.geometry); index += 1) {
          const entry = memory.load(memory.address(freed, index));
          if (entry !== NONE && entry !== world.frozen && !isMmio(entry)) return freed;
        }
        return -1;
      },
    },
    {
      id: 'scheduled-root-is-valid',
      title: 'a root that is to be torn down is invalid',
      lock: Lock.Mmu,
      broken() {
        for (let root = 0; root < ROOTS; root += 1) {
          if (memory.load(world.rootScheduled + root) === 0) continue;
          if (memory.load(world.rootInvalid + root) === 0)
            return memory.load(world.rootFrame + root);
        }
        return -1;
      },
    },
  ];
}

function tableList(world: KvmWorld): Invariant {
  const { memory, spec } = world.machine;
  return {
    id: 'table-list',
    title: 'a table is put on the list of tables once, and taken off when it is on it',
    lock: Lock.Pages,
    broken() {
      for (let frame = spec.kernelFrames; frame < spec.frames; frame += 1) {
        if (memory.load(world.listed(frame)) >>> 0 > 1) return frame;
      }
      return -1;
    },
  };
}
