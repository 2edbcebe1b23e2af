/**
 * Where things lie: which physical pages are the hypervisor's image, its pools, ordinary memory and devices,
 * and the shape of the tables. Small tables of eight entries: two levels with a root of two pages for stage 2,
 * three levels for the hypervisor's own stage 1.
 */
import { ACCESSED, EXEC, leaf, MemoryType, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';

/** The hypervisor's image and variables; frame 0 is never used for anything else. */
export const IMAGE_PAGES = 48;
/** Pool of the hypervisor's stage-1 tables, and of the host's stage-2 tables. */
export const HYP_POOL = IMAGE_PAGES;
export const HYP_POOL_PAGES = 8;
export const HOST_POOL = HYP_POOL + HYP_POOL_PAGES;
export const HOST_POOL_PAGES = 8;
/** The memory block that the host may give away, and devices behind it. */
export const MEMORY = HOST_POOL + HOST_POOL_PAGES;
export const MEMORY_PAGES = 24;
export const DEVICE = MEMORY + MEMORY_PAGES;
export const DEVICE_PAGES = 2;
export const FRAMES = DEVICE + DEVICE_PAGES;

/** Input pages that stage 2 covers; for the host they are physical pages. */
export const WINDOW = 96;

/** Private range of the hypervisor's address space, where the fixmap lies: one slot per CPU. */
export const PRIVATE = 96;

export const GUEST_GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 3,
  startLevel: 2,
  rootPages: 2,
  blockLevels: [2],
  windowPages: WINDOW,
};

export const HYP_GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 3,
  startLevel: 1,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 104,
};

/** Pages of a block. */
export const BLOCK = 1 << GUEST_GEOMETRY.bitsPerLevel;

export function isMemory(frame: number): boolean {
  return frame >= MEMORY && frame < MEMORY + MEMORY_PAGES;
}

/** A block around a page lies in memory, whole. Devices are mapped page by page. */
export function blockWithin(page: number, pages: number): boolean {
  const first = page & ~(pages - 1);
  return first >= MEMORY && first + pages <= MEMORY + MEMORY_PAGES;
}

/** What the host's table says about a page that is its own. */
export function hostLeaf(frame: number): number {
  if (isMemory(frame)) return leaf(frame, READ | WRITE | EXEC | ACCESSED);
  return leaf(frame, READ | WRITE | ACCESSED | MemoryType.Device);
}

/** How the hypervisor maps its own and borrowed pages. */
export function hypLeaf(frame: number): number {
  return leaf(frame, READ | WRITE | ACCESSED);
}

/** How a guest's page is mapped, without its state. */
export function guestLeaf(frame: number): number {
  return leaf(frame, READ | WRITE | EXEC | ACCESSED);
}
