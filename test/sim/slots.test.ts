/** Invalidations that are on their way at once take slots; who finds none waits, however it came to its request. */
import test from 'ava';
import { ACCESSED, Intent, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { INVALIDATION_SLOTS, Shareability, Tlbi } from '../../sim/invalidation.ts';
import { at, type Body, isReady, Script, Workbench } from './workbench.ts';

const DATA = 40;

function bench(): Workbench {
  const made = new Workbench();
  let frame = made.root;
  for (let level = made.machine.spec.trees[0]!.geometry.startLevel; level < 3; level += 1) {
    const child = made.takeTable();
    made.put(made.word(frame, 0), table(child));
    frame = child;
  }
  made.put(made.word(frame, 0), leaf(DATA, READ | WRITE | ACCESSED));
  return made;
}

/** Fills the TLB of its PE: invalidations have work there. */
const reads: Body = function* (self) {
  return yield* self.guestAccess(at.access, 0, Intent.Read, 0);
};

const invalidates: Body = function* (self) {
  for (let i = 0; i < INVALIDATION_SLOTS; i += 1)
    yield* self.tlbi(at.store, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
  return 0;
};

test('two that are about to request wait when one of them takes the last slot', (t) => {
  const made = bench();
  // a look at the TLB, a read per level, and the access
  const steps = 6 - made.machine.spec.trees[0]!.geometry.startLevel;
  const ready = (host0: boolean, host1: boolean) => (): void => {
    t.is(isReady(made.machine, 'host0'), host0);
    t.is(isReady(made.machine, 'host1'), host1);
  };
  const half = INVALIDATION_SLOTS / 2;
  const script = new Script(made, [
    `vcpu0*${steps}`,
    `host0*${half}`,
    `host1*${half - 1}`,
    ready(true, true),
    'host1',
    ready(false, false),
    'tlbi@0',
    ready(true, true),
  ]);
  made.run({ vcpu0: [reads], host0: [invalidates], host1: [invalidates] }, script);
  t.is(script.left, 0);
  t.is(made.rows(Event.InvalidateIssue).length, 2 * INVALIDATION_SLOTS);
});
