/** Read-side sections: a grace period waits for the sections that were open, and for no later one. */
import test from 'ava';
import fc from 'fast-check';
import { Sections } from '../../sim/sections.ts';

const ACTORS = 5;
const WRITER = 4;

test('a grace period with no open section waits for nobody', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.await(0, WRITER);
  t.false(sections.waits(0, WRITER));
});

test('a grace period waits until the last earlier section has ended', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.enter(0, 1);
  sections.await(0, WRITER);
  sections.exit(0, 0);
  t.true(sections.waits(0, WRITER));
  sections.exit(0, 1);
  t.false(sections.waits(0, WRITER));
});

test('a section that opens later does not hold the grace period up', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.await(0, WRITER);
  sections.enter(0, 1);
  sections.exit(0, 0);
  t.false(sections.waits(0, WRITER));
});

test('a reader that leaves and comes back is a later section', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.await(0, WRITER);
  sections.exit(0, 0);
  sections.enter(0, 0);
  t.false(sections.waits(0, WRITER));
});

test('a section of another domain is not waited for', (t) => {
  const sections = new Sections(2, ACTORS);
  sections.enter(1, 0);
  sections.await(0, WRITER);
  t.false(sections.waits(0, WRITER));
  sections.await(1, WRITER);
  t.true(sections.waits(1, WRITER));
  t.false(sections.waits(0, WRITER));
});

test('two waiters wait for what each of them found', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.await(0, 3);
  sections.enter(0, 1);
  sections.await(0, WRITER);
  sections.exit(0, 0);
  t.false(sections.waits(0, 3));
  t.true(sections.waits(0, WRITER));
});

test('reset ends every section and every wait', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.await(0, WRITER);
  sections.reset();
  t.false(sections.waits(0, WRITER));
  t.is(sections.inside[0], 0);
});

test('a grace period ends exactly when all sections open at its start have ended', (t) => {
  const reader = fc.nat(3);
  const early = fc.uniqueArray(reader);
  const later = fc.array(fc.record({ reader, enters: fc.boolean() }), { maxLength: 20 });
  fc.assert(
    fc.property(early, later, (open, events) => {
      const sections = new Sections(1, ACTORS);
      for (const actor of open) sections.enter(0, actor);
      sections.await(0, WRITER);
      const awaited = new Set(open);
      for (const { reader: actor, enters } of events) {
        if (enters) {
          // sections of one domain do not nest
          if ((sections.inside[0]! & (1 << actor)) === 0) sections.enter(0, actor);
        } else {
          sections.exit(0, actor);
          awaited.delete(actor);
        }
        if (sections.waits(0, WRITER) !== awaited.size > 0) return false;
      }
      return true;
    }),
    { numRuns: 200 },
  );
  t.pass();
});
