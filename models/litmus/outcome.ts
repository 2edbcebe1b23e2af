/** Final states of a litmus test: as text, and against the condition. */

import { unreachable } from '../../sim/assert.ts';
import { ACCESSED, DIRTY_MODIFIER, EXEC_USER, isValid, WRITE } from '../../sim/descriptor.ts';
import type { LitmusMachine } from './machine.ts';
import type { FaultAtom, Formula, LitmusTest, Observed } from './program.ts';
import { type Slot, Stage } from './slot.ts';

import {
  codeIndex,
  codeThread,
  integerOf,
  isAddress,
  isCode,
  isDescriptor,
  locationOf,
  mappedBy,
  Part,
  partOf,
  type Value,
} from './value.ts';

export interface Outcome {
  /** `0:X4=1; [x]=0; ~Fault(P1:L0,x)`: values and faults in the order of the test. */
  readonly text: string;
  readonly holds: boolean;
}

/** The state in which a complete run ended. */
export function outcomeOf(litmus: LitmusMachine): Outcome {
  const { test } = litmus;
  const values = test.observed.map((place) => valueAt(litmus, place));
  const parts = test.observed.map((place, i) => `${place.name}=${describe(test, values[i]!)}`);
  for (const atom of test.faults) {
    const slot = faultOf(litmus, atom);
    parts.push(slot === undefined ? `~Fault(${atom.text})` : describeFault(test, atom, slot));
  }
  return { text: parts.join('; '), holds: evaluate(litmus, test.condition) };
}

function valueAt(litmus: LitmusMachine, place: Observed): Value {
  if (place.thread >= 0) return litmus.threads[place.thread]!.register(place.register);
  const word = place.isEntry ? litmus.entryWord(place.location) : litmus.dataWord(place.location);
  return litmus.machine.memory.load(word);
}

/** What the atom leaves open is shown as it was. */
function describeFault(test: LitmusTest, atom: FaultAtom, { location, cause }: Slot): string {
  const where = atom.location < 0 ? `,${test.locations[location]!.name}` : '';
  const why = atom.cause === '' ? `,D-MMU:${cause}` : '';
  return `Fault(${atom.text}${where}${why})`;
}

/** The access that had the fault which an atom asks for; undefined if there was none. */
function faultOf(litmus: LitmusMachine, atom: FaultAtom): Slot | undefined {
  return litmus.threads[atom.thread]!.path.find(
    (slot) =>
      slot.stage > Stage.Performed &&
      (atom.label < 0 || slot.index === atom.label) &&
      (atom.location < 0 || slot.location === atom.location) &&
      (atom.cause === '' || slot.cause === atom.cause),
  );
}

function evaluate(litmus: LitmusMachine, formula: Formula): boolean {
  switch (formula.kind) {
    case 'true':
      return true;
    case 'not':
      return !evaluate(litmus, formula.of);
    case 'and':
      return formula.of.every((one) => evaluate(litmus, one));
    case 'or':
      return formula.of.some((one) => evaluate(litmus, one));
    case 'fault':
      return faultOf(litmus, formula) !== undefined;
    case 'value': {
      const place = litmus.test.observed.find(({ name }) => name === formula.observed)!;
      return (valueAt(litmus, place) === formula.value) === formula.isEqual;
    }
    default:
      return unreachable(formula, 'a known formula');
  }
}

function describeLabel(test: LitmusTest, value: Value): string {
  const thread = test.threads[codeThread(value)]!;
  const label = [...thread.labels].find(([, index]) => index === codeIndex(value))?.[0];
  return label === undefined
    ? `${thread.name}:${codeIndex(value)}`
    : `label:"${thread.name}:${label}"`;
}

/** A value as herd writes it: fields of descriptors that have their default are left out. */
export function describe(test: LitmusTest, value: Value): string {
  const name = (location: number): string => test.locations[location]!.name;
  if (isAddress(value)) {
    const location = name(locationOf(value));
    return partOf(value) === Part.Entry ? `PTE(${location})` : location;
  }
  if (isCode(value)) return describeLabel(test, value);
  if (!isDescriptor(value)) return `${integerOf(value)}`;
  return (
    `(oa:PA(${name(mappedBy(value))})` +
    ((value & ACCESSED) === 0 ? ', af:0' : '') +
    ((value & WRITE) === 0 ? ', db:0' : '') +
    ((value & DIRTY_MODIFIER) !== 0 ? ', dbm:1' : '') +
    (isValid(value) ? '' : ', valid:0') +
    ((value & EXEC_USER) === 0 ? ', el0:0' : '') +
    ')'
  );
}
