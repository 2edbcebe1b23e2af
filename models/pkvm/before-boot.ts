/** The machine before the hypervisor boots: no CPU has a regime for it, and the host has made tables to begin with. */
import { ACCESSED, EXEC, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Role } from '../../sim/pages.ts';
import { OLD_ROOT, OLD_STACK_FRAME, stackPage } from './boot-layout.ts';
import { BLOCK, MEMORY } from './layout.ts';
import { Allocator, type PkvmWorld, Tree } from './world.ts';

/**
 * Root, tables of the two halves, and the last level for the code (page by page, as the new tables have it) and for the stack;
 * the rest is in blocks.
 */
export function beforeBoot(world: PkvmWorld): void {
  const { machine } = world;
  const { memory } = machine;
  const [root, low, high, codeTable, stackTable] = [0, 1, 2, 3, 4].map((i) => OLD_ROOT + i) as [
    number,
    number,
    number,
    number,
    number,
  ];
  for (const frame of [root, low, high, codeTable, stackTable])
    machine.pages.assign(frame, Role.Table);
  machine.tables.plant(Tree.Boot, root);
  const put = (frame: number, index: number, value: number): void => {
    const word = memory.address(frame, index);
    memory.store(word, value, 0);
    machine.tables.update(word, 0, value);
  };
  put(root, 0, table(low));
  put(root, 1, table(high));
  for (let first = 0; first < MEMORY; first += BLOCK) {
    if (first !== BLOCK) put(low, first / BLOCK, leaf(first, READ | WRITE | ACCESSED));
  }
  put(low, 1, table(codeTable));
  for (let page = BLOCK; page < 2 * BLOCK; page += 1)
    put(codeTable, page - BLOCK, leaf(page, READ | EXEC | ACCESSED));
  put(high, 4, table(stackTable));
  put(stackTable, stackPage(0) % BLOCK, leaf(OLD_STACK_FRAME, READ | WRITE | ACCESSED));
  memory.store(world.allocator, Allocator.Bump, 0);
  for (const pe of machine.pes) pe.mmu = false;
}
