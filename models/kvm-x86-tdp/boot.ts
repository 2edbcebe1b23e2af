/**
 * What a run may begin with: the first block-sized region backed by the host and mapped in a root of the
 * normal role, so that operations have something to work on from their first step.
 */
import { Claim } from '../../sim/claims.ts';
import { WRITE } from '../../sim/descriptor.ts';
import { Role } from '../../sim/pages.ts';
import { blockPages, rootLevel } from './geometry.ts';
import { BLOCK_SPLIT } from './host-memory.ts';
import { leafForm } from './map.ts';
import { makeLeaf, tableEntry } from './spte.ts';
import type { KvmWorld } from './world.ts';

/** Value of the parameter `mapped`. */
export const Mapped = { Nothing: 0, Pages: 1, Large: 2 } as const;

const ROOT = 0;

/** @param isLogged leaves are write-protected for the log, as after its start */
export function mapAtBoot(world: KvmWorld, mapped: number, isLogged: boolean): void {
  const { machine, geometry } = world;
  const { memory } = machine;
  const isBlock = (world.hugeRegions & 1) !== 0;
  const frames = backAtBoot(world, isBlock);

  let table = machine.pages.take(Role.Table, true);
  memory.store(world.rootFrame + ROOT, table, 0);
  // the MMU's own reference
  memory.store(world.rootCount + ROOT, 1, 0);
  memory.store(world.rootsInUse, 1 << ROOT, 0);
  memory.store(world.rootList, 1 << ROOT, 0);
  machine.claim(Claim.ContextCreated, ROOT, table, 0);

  const level = mapped === Mapped.Large && isBlock && !isLogged ? 2 : 1;
  for (let above = rootLevel(geometry); above > level; above -= 1) {
    const child = machine.pages.take(Role.Table, true);
    put(world, memory.address(table, 0), tableEntry(child));
    table = child;
  }
  const form = leafForm(world, true, level);
  // every other page, so that there is something left to fault on
  const count = level === 2 ? 1 : frames.length;
  for (let index = 0; index < count; index += 2) {
    const leaf = makeLeaf(frames[index]!, form);
    put(world, memory.address(table, index), isLogged ? leaf & ~WRITE : leaf);
  }
}

/** The host backs the first region, as one block or page by page. */
function backAtBoot(world: KvmWorld, isBlock: boolean): readonly number[] {
  const { machine, geometry } = world;
  const { memory, pages } = machine;
  const size = blockPages(geometry);
  const run = isBlock ? pages.takeRun(Role.Data, size) : -1;
  const frames = Array.from({ length: size }, (_, i) =>
    isBlock ? run + i : pages.take(Role.Data, true),
  );
  memory.store(world.hostBlock, isBlock ? run + 1 : BLOCK_SPLIT, 0);
  if (isBlock) machine.claim(Claim.HostGrants, 0, run, 1 | (geometry.bitsPerLevel << 1));
  frames.forEach((frame, page) => {
    if (!isBlock) {
      memory.store(world.hostPage + page, frame + 1, 0);
      machine.claim(Claim.HostGrants, page, frame, 1);
    }
    if (world.configuration.generation === '6.12') return;
    memory.store(world.hostDirty(frame), 1, 0);
    machine.claim(Claim.HostDirtied, frame, 0, 0);
  });
  return frames;
}

function put(world: KvmWorld, word: number, value: number): void {
  world.machine.storeData(word, value);
  world.machine.tables.update(word, 0, value);
}
