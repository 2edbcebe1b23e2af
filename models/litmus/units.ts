/** Which actors a litmus test needs, and whether it fits the machine. */
import { ACCESSED } from '../../sim/descriptor.ts';
import { STORE_SLOTS } from '../../sim/stores.ts';
import { isPlainStore, type LitmusTest } from './program.ts';
import { Unsupported } from './syntax-error.ts';
import { isAddress, Part, partOf } from './value.ts';

export const WORD_BITS = 5;
export const LOCATIONS_MAX = 1 << WORD_BITS;
/** The machine keeps sets of actors in a word, and threads keep sets of instructions in one. */
const ACTORS_MAX = 31;
const INSTRUCTIONS_MAX = 30;

/** Who an actor stands for: an instruction of a thread, or the updates of an entry's accessed flag. */
export interface Unit {
  readonly thread: number;
  readonly index: number;
  /** Location whose entry is updated; -1 for instructions. */
  readonly entry: number;
}

export function checkSize(test: LitmusTest): void {
  if (test.threads.some(({ code }) => code.filter(isPlainStore).length > STORE_SLOTS))
    throw new Unsupported(`more than ${STORE_SLOTS} stores in a thread`);
  if (unitsOf(test).length > ACTORS_MAX)
    throw new Unsupported(`more than ${ACTORS_MAX} accesses, barriers and branches`);
  if (test.locations.length > LOCATIONS_MAX)
    throw new Unsupported(`more than ${LOCATIONS_MAX} locations`);
  for (const thread of test.threads) {
    if (thread.code.length > INSTRUCTIONS_MAX)
      throw new Unsupported(`more than ${INSTRUCTIONS_MAX} instructions in a thread`);
    let hasReturn = false;
    thread.code.forEach((instruction, index) => {
      if (instruction.kind === 'branch' && instruction.to <= index) throw new Unsupported('loops');
      if (instruction.kind === 'set-return') hasReturn = true;
      if (instruction.kind === 'exception-return' && !hasReturn)
        throw new Unsupported('an exception that returns to the instruction that faulted');
    });
  }
}

export function unitsOf(test: LitmusTest): Unit[] {
  const units: Unit[] = [];
  test.threads.forEach(({ code }, thread) => {
    code.forEach((instruction, index) => {
      const { kind } = instruction;
      const isBranch = kind === 'branch' && instruction.condition !== undefined;
      if (kind === 'memory' || kind === 'dsb' || kind === 'invalidate' || isBranch)
        units.push({ thread, index, entry: -1 });
    });
  });
  if (!test.threads.some(({ updatesAccessed }) => updatesAccessed)) return units;
  // entries that may come to have a clear accessed flag
  test.locations.forEach(({ entry }, location) => {
    if ((entry & ACCESSED) === 0 || writesEntries(test))
      units.push({ thread: updaterOf(test), index: -1, entry: location });
  });
  return units;
}

function updaterOf(test: LitmusTest): number {
  return test.threads.findIndex(({ updatesAccessed }) => updatesAccessed);
}

function writesEntries(test: LitmusTest): boolean {
  return test.threads.some(({ registers }) =>
    [...registers.values()].some((value) => isAddress(value) && partOf(value) === Part.Entry),
  );
}
