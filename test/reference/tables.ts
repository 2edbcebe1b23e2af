/**
 * Naive readings of memory: the abstract map (function alpha of spec/arm.md 0.3) walked afresh from
 * the root, and the translation of one page as spec/arm.md 1.4 describes it. Twins of sim/tables.ts
 * and of the walker in sim/hardware-arm.ts.
 */
import type { Geometry } from '../../sim/geometry.ts';
import type { Memory } from '../../sim/memory.ts';

const VALID = 1;
const TABLE = 2;
const ACCESSED = 1 << 6;

export type Translation =
  | { readonly kind: 'page'; readonly frame: number; readonly word: number; readonly level: number }
  | {
      readonly kind: 'fault';
      readonly cause: 'translation' | 'access flag';
      readonly level: number;
    };

/**
 * Walks from the root as memory is now; every step is arithmetic on whole numbers.
 * @param setsAccessed the walker sets the flag of an old leaf instead of a fault
 */
export function translate(
  memory: Memory,
  geometry: Geometry,
  root: number,
  page: number,
  setsAccessed: boolean,
): Translation {
  const entries = 2 ** geometry.bitsPerLevel;
  const pagesOf = (level: number): number => entries ** (3 - level);
  let frame = root + Math.floor(page / pagesOf(geometry.startLevel - 1));
  for (let level = geometry.startLevel; ; level += 1) {
    const index = Math.floor(page / pagesOf(level)) % entries;
    const word = memory.load(memory.address(frame, index));
    const isTable = (word & TABLE) !== 0;
    const next = word >>> 16;
    if ((word & VALID) === 0) return { kind: 'fault', cause: 'translation', level };
    if (isTable) {
      const isReserved = level === 3 || next >= memory.frames;
      if (isReserved) return { kind: 'fault', cause: 'translation', level };
      frame = next;
      continue;
    }
    const isAllowed = level === 3 || geometry.blockLevels.includes(level);
    if (!isAllowed || next >= memory.frames) return { kind: 'fault', cause: 'translation', level };
    const isOld = (word & ACCESSED) === 0 && !setsAccessed;
    if (isOld) return { kind: 'fault', cause: 'access flag', level };
    return { kind: 'page', frame: next + (page % pagesOf(level)), word, level };
  }
}

/** The abstract entry of each page of the window, and the level of the leaf behind it. */
export function alpha(
  memory: Memory,
  geometry: Geometry,
  root: number,
  annotations: boolean,
): { entries: number[]; levels: number[] } {
  const fanOut = 2 ** geometry.bitsPerLevel;
  const entries: number[] = [];
  const levels: number[] = [];
  for (let page = 0; page < geometry.windowPages; page += 1) {
    let frame = root + Math.floor(page / fanOut ** (4 - geometry.startLevel));
    let level = geometry.startLevel;
    let word = 0;
    for (; ; level += 1) {
      const pages = fanOut ** (3 - level);
      word = memory.load(memory.address(frame, Math.floor(page / pages) % fanOut));
      if (level === 3 || (word & (VALID | TABLE)) !== (VALID | TABLE)) break;
      frame = word >>> 16;
    }
    levels.push(level);
    entries.push(entryOf(geometry, word, level, page % fanOut ** (3 - level), annotations));
  }
  return { entries, levels };
}

function entryOf(
  geometry: Geometry,
  word: number,
  level: number,
  offset: number,
  annotations: boolean,
): number {
  if ((word & VALID) === 0) return annotations ? word : 0;
  const isLeaf = (word & TABLE) === 0 && (level === 3 || geometry.blockLevels.includes(level));
  return isLeaf ? (word + offset * 0x10000) | 0 : 0;
}
