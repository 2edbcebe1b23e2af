/**
 * What a run may begin with: the first block-sized region backed by the host and mapped in a root of the
 * normal role, so that operations have something to work on from their first step.
 */
import { Claim } from '../../sim/claims.ts';
import { Role } from '../../sim/pages.ts';
import { blockPages, rootLevel } from './geometry.ts';
import { BLOCK_SPLIT } from './host-memory.ts';
import { leafForm } from './map.ts';
import { listAtBoot } from './recovery-list.ts';
import { makeLeaf, tableEntry } from './spte.ts';
import type { KvmWorld } from './world.ts';
import { adTypeOf, isHardwareLogged, loggedBit } from './write-log.ts';

/** Value of the parameter `mapped`. */
export const Mapped = { Nothing: 0, Pages: 1, Large: 2, Candidates: 3 } as const;

const ROOT = 0;

/** @param isLogged leaves are write-protected for the log, as after its start */
export function mapAtBoot(world: KvmWorld, mapped: number, isLogged: boolean): void {
  const { memory } = world.machine;
  if (mapped === Mapped.Candidates) {
    const above = plantRoot(world);
    for (const region of [0, 1]) mapCandidate(world, above, region, isLogged);
    return;
  }
  const frames = backAtBoot(world, 0, isHuge(world, 0));
  const above = plantRoot(world);
  if (mapped === Mapped.Large && isHuge(world, 0) && !isLogged) {
    put(
      world,
      memory.address(above, 0),
      makeLeaf(frames[0]!, leafForm(world, true, 2, adTypeOf(world, 0))),
    );
    return;
  }
  const table = linkAtBoot(world, memory.address(above, 0));
  // every other page, so that there is something left to fault on
  for (let index = 0; index < frames.length; index += 2) {
    mapPage(world, memory.address(table, index), frames[index]!, isLogged);
  }
}

function isHuge(world: KvmWorld, region: number): boolean {
  return (world.hugeRegions & (1 << region)) !== 0;
}

/** A root of the normal role, and the tables down to the one of level 2 for the first pages: that one. */
function plantRoot(world: KvmWorld): number {
  const { machine, geometry } = world;
  const { memory } = machine;
  let table = machine.pages.take(Role.Table, true);
  memory.store(world.rootFrame + ROOT, table, 0);
  // the MMU's own reference
  memory.store(world.rootCount + ROOT, 1, 0);
  memory.store(world.rootsInUse, 1 << ROOT, 0);
  memory.store(world.rootList, 1 << ROOT, 0);
  machine.claim(Claim.ContextCreated, ROOT, table, isHardwareLogged(world, 0) ? 1 : 0);
  for (let level = rootLevel(geometry); level > 2; level -= 1) {
    table = linkAtBoot(world, memory.address(table, 0));
  }
  return table;
}

function linkAtBoot(world: KvmWorld, word: number): number {
  const { machine } = world;
  const table = machine.pages.take(Role.Table, true);
  put(world, word, tableEntry(table));
  if (world.configuration.listsTables) machine.memory.store(world.listed(table), 1, 0);
  return table;
}

/** A table that stands where a large page could be: its first page was executed. */
function mapCandidate(world: KvmWorld, above: number, region: number, isLogged: boolean): void {
  const { memory } = world.machine;
  const frames = backAtBoot(world, region, true);
  const word = memory.address(above, region);
  const table = linkAtBoot(world, word);
  mapPage(world, memory.address(table, 0), frames[0]!, isLogged);
  memory.store(world.disallowed(table), 1, 0);
  memory.store(world.parent(table), word, 0);
  listAtBoot(world, table);
}

function mapPage(world: KvmWorld, word: number, frame: number, isLogged: boolean): void {
  const leaf = makeLeaf(frame, leafForm(world, true, 1, adTypeOf(world, 0)));
  put(world, word, isLogged ? leaf & ~loggedBit(world, leaf, 1) : leaf);
}

/** The host backs a region, as one block or page by page. */
function backAtBoot(world: KvmWorld, region: number, isBlock: boolean): readonly number[] {
  const { machine, geometry } = world;
  const { memory, pages } = machine;
  const size = blockPages(geometry);
  const first = region * size;
  const run = isBlock ? pages.takeRun(Role.Data, size) : -1;
  const frames = Array.from({ length: size }, (_, i) =>
    isBlock ? run + i : pages.take(Role.Data, true),
  );
  memory.store(world.hostBlock + region, isBlock ? run + 1 : BLOCK_SPLIT, 0);
  if (isBlock) machine.claim(Claim.HostGrants, first, run, 1 | (geometry.bitsPerLevel << 1));
  frames.forEach((frame, index) => {
    if (!isBlock) {
      memory.store(world.hostPage + first + index, frame + 1, 0);
      machine.claim(Claim.HostGrants, first + index, frame, 1);
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
