/**
 * The stage-2 tables that the guest hypervisor keeps in its own memory: from the input pages of its guests to
 * its own input pages. They lie in pages that the host neither takes away nor moves, so that what they
 * hold is never lost, and a table is named by its frame.
 *
 * There is a fixed number of tables of one shape: the tables of the first regions of the window exist from the
 * beginning, linked or not.
 */
import {
  ACCESSED,
  advance,
  EXEC,
  isLeaf,
  isTable,
  leaf,
  READ,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { type Geometry, indexAt, LAST_LEVEL } from '../../sim/geometry.ts';
import type { Memory, WordAddress } from '../../sim/memory.ts';
import { blockPages, regionOf } from '../kvm-arm64/geometry.ts';

/** Tables of the guest. A guest may also run without stage 2: then its pages are the guest hypervisor's. */
export const GUEST_TABLES = 2;

const REGIONS_MAX = 4;

/** Rights that the guest hypervisor gives. */
export const GIVES_READ = READ | EXEC | ACCESSED;
export const GIVES_ALL = GIVES_READ | WRITE;

/** Regions for which there are tables of pages. */
function regionsOf(geometry: Geometry): number {
  return Math.min(REGIONS_MAX, regionOf(geometry, geometry.windowPages));
}

/** One page per level above the last, and one for each region. */
function framesOfTable(geometry: Geometry): number {
  return LAST_LEVEL - geometry.startLevel + regionsOf(geometry);
}

export function guestTableFrames(geometry: Geometry): number {
  return GUEST_TABLES * framesOfTable(geometry);
}

export class GuestTables {
  readonly geometry: Geometry;
  readonly regions: number;
  readonly #memory: Memory;
  readonly #first: number;
  readonly #size: number;

  /** @param first frame of the first table's root */
  constructor(memory: Memory, geometry: Geometry, first: number) {
    this.geometry = geometry;
    this.regions = regionsOf(geometry);
    this.#memory = memory;
    this.#first = first;
    this.#size = framesOfTable(geometry);
  }

  root(number: number): number {
    return this.#first + number * this.#size;
  }

  /** The table of pages for a region of the window. */
  pagesTable(number: number, region: number): number {
    return this.root(number) + LAST_LEVEL - this.geometry.startLevel + region;
  }

  /** Pages for which there may be entries. */
  get pages(): number {
    return this.regions * blockPages(this.geometry);
  }

  /** The entry for the region of the page: a block, or a table of pages. */
  blockWord(number: number, page: number): WordAddress {
    const above = LAST_LEVEL - 1 - this.geometry.startLevel;
    return this.#memory.address(
      this.root(number) + above,
      indexAt(this.geometry, page, LAST_LEVEL - 1),
    );
  }

  /** The entry for the page in the table of its region, linked or not. */
  pageWord(number: number, page: number): WordAddress {
    const frame = this.pagesTable(number, regionOf(this.geometry, page));
    return this.#memory.address(frame, indexAt(this.geometry, page, LAST_LEVEL));
  }

  /** Which table a word belongs to, and which pages its entry is about. */
  tableOf(word: WordAddress): number {
    return Math.floor((this.#memory.frame(word) - this.#first) / this.#size);
  }

  firstOf(word: WordAddress): number {
    const shift = this.#isPage(word) ? 0 : this.geometry.bitsPerLevel;
    const region = Math.max(0, this.#regionOfTable(word));
    return (region << this.geometry.bitsPerLevel) + (this.#memory.index(word) << shift);
  }

  pagesOf(word: WordAddress): number {
    return this.#isPage(word) ? 1 : blockPages(this.geometry);
  }

  #isPage(word: WordAddress): boolean {
    return this.#regionOfTable(word) >= 0;
  }

  /** Region whose table of pages holds the word; negative for other tables. */
  #regionOfTable(word: WordAddress): number {
    const inTable = (this.#memory.frame(word) - this.#first) % this.#size;
    return inTable - (LAST_LEVEL - this.geometry.startLevel);
  }

  /** The leaf that translates a page now, at whichever level; 0 when there is none. */
  leafAt(number: number, page: number): number {
    const block = this.#memory.load(this.blockWord(number, page));
    if (isTable(block)) return this.#memory.load(this.pageWord(number, page));
    return isLeaf(block) ? advance(block, page & (blockPages(this.geometry) - 1)) : 0;
  }

  levelAt(number: number, page: number): number {
    return isTable(this.#memory.load(this.blockWord(number, page))) ? LAST_LEVEL : LAST_LEVEL - 1;
  }

  /**
   * What the guest has made before the run: in each table pages in the first region and a block in the second. The
   * tables give one input page different pages.
   */
  fill(): void {
    for (let number = 0; number < GUEST_TABLES; number += 1) this.#fillTable(number);
  }

  #fillTable(number: number): void {
    const { geometry } = this;
    const size = blockPages(geometry);
    const set = (word: WordAddress, value: number): void => this.#memory.store(word, value, 0);
    for (let above = 0; above < LAST_LEVEL - 1 - geometry.startLevel; above += 1) {
      set(this.#memory.address(this.root(number) + above, 0), table(this.root(number) + above + 1));
    }
    for (let region = 0; region < this.regions; region += 1) {
      if (region !== 1)
        set(this.blockWord(number, region * size), table(this.pagesTable(number, region)));
    }
    const shift = number * (size >>> 1);
    for (let page = 0; page < Math.min(size, 4); page += 1) {
      const rights = page === 2 ? GIVES_READ : GIVES_ALL;
      set(this.pageWord(number, page), leaf((page + shift) % size, rights));
    }
    set(this.blockWord(number, size), leaf((number + 1) * size, GIVES_ALL));
  }
}
