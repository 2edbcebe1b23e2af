/** Addresses of the boot flow: what the hypervisor maps, from where, and what the host had made before. */
import { ACCESSED, EXEC, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import { PageState } from '../../sim/ownership.ts';
import { HYP_POOL, MEMORY, PRIVATE } from './layout.ts';
import { tag } from './records.ts';

/** Pages of code: the one that lies at the same address with and without translation, and the rest. */
export const IDENTITY_PAGE = 8;
export const FINALISE_PAGE = 9;
const READ_ONLY_PAGE = 10;
const DATA_PAGE = 11;

/** What the host reserved for the hypervisor, and how it is divided. */
export const RESERVED = HYP_POOL;
export const RESERVED_END = MEMORY;
export const RECORD_PAGES = 1;
export const STAGE1_PAGES = 12;
export const HOST_PAGES = 2;

/** Stacks, each above a page that nothing is mapped at. */
export function stackPage(cpu: number): number {
  return PRIVATE + 3 + 2 * cpu;
}
const STACK_FRAMES = MEMORY + 22;

/** Tables that the host made for the time before: root, two of the next level, two of the last. */
export const OLD_ROOT = MEMORY;
export const OLD_TABLES = 5;
/** Where the host's tables had the first stack. */
export const OLD_STACK_FRAME = MEMORY + 20;

/** A page of the host that both may read: mapped where it lies, marked as shared, and once more in the private range. */
export const SECTION = MEMORY + 18;
const SECTION_ALIAS = PRIVATE + RECORD_PAGES;

export interface Mapping {
  readonly page: number;
  readonly leaf: number;
}

const code = (page: number): Mapping => ({ page, leaf: leaf(page, READ | EXEC | ACCESSED) });
const data = (page: number, frame = page): Mapping => ({
  page,
  leaf: leaf(frame, READ | WRITE | ACCESSED),
});

/** Everything that the new tables map, in this order; `cpus` stacks, and where there are any, the host's sections. */
export function mappings(cpus: number, hasSections: boolean): readonly Mapping[] {
  const list: Mapping[] = [code(IDENTITY_PAGE)];
  for (let i = 0; i < RECORD_PAGES; i += 1) list.push(data(PRIVATE + i, RESERVED + i));
  list.push(code(FINALISE_PAGE));
  list.push({ page: READ_ONLY_PAGE, leaf: leaf(READ_ONLY_PAGE, READ | ACCESSED) });
  list.push(data(DATA_PAGE));
  for (let frame = RESERVED; frame < RESERVED_END; frame += 4) list.push(data(frame));
  for (let cpu = 0; cpu < cpus; cpu += 1) list.push(data(stackPage(cpu), STACK_FRAMES + cpu));
  if (hasSections) {
    const section = leaf(SECTION, READ | ACCESSED);
    list.push({ page: SECTION, leaf: section | tag(PageState.SharedBorrowed) });
    list.push({ page: SECTION_ALIAS, leaf: section });
  }
  return list;
}
