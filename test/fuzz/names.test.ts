/** Names of events: what is written is read back, and a name finds its event again. */
import test from 'ava';
import fc from 'fast-check';
import { Generator } from '../../fuzz/generate.ts';
import {
  END,
  type EventName,
  formatName,
  nameOf,
  OccurrenceCounter,
  parseName,
  resolveName,
} from '../../fuzz/names.ts';
import { Random } from '../../fuzz/random.ts';
import { Recorder } from '../../fuzz/recorder.ts';
import { runRecorded } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { RandomStrategy } from '../../fuzz/strategies/random.ts';
import { CALM } from '../../fuzz/temper.ts';
import { SYSTEMS } from '../../models/registry.ts';

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const part = fc.stringMatching(/^[A-Za-z0-9-]{1,12}$/);
const site = fc.oneof(
  fc.constant(END),
  fc.tuple(part, part).map(([group, name]) => `${group}.${name}`),
);
const eventName: fc.Arbitrary<EventName> = fc.record({
  actor: word,
  key: word,
  site,
  pe: fc.option(fc.nat(31), { nil: undefined }),
  occurrence: fc.integer({ min: 1, max: 100_000 }),
});

test('a name is read back as it was written', (t) => {
  fc.assert(
    fc.property(eventName, (name) => {
      t.deepEqual(parseName(formatName(name)), name);
    }),
    { seed: 1 },
  );
});

test('different names have different texts', (t) => {
  fc.assert(
    fc.property(eventName, eventName, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      t.is(formatName(one) === formatName(other), isSame);
    }),
    { seed: 2 },
  );
});

test('names are written as the documentation shows them', (t) => {
  const name = { actor: 'vcpu0', key: 'w1', site: 'stage2-map.breakLeaf', pe: undefined };
  t.is(formatName({ ...name, occurrence: 1 }), 'vcpu0.w1/stage2-map.breakLeaf');
  t.is(formatName({ ...name, occurrence: 2 }), 'vcpu0.w1/stage2-map.breakLeaf#2');
  t.is(formatName({ ...name, pe: 1, occurrence: 1 }), 'vcpu0.w1/stage2-map.breakLeaf@pe1');
  t.is(formatName({ ...name, site: END, occurrence: 1 }), 'vcpu0.w1/end');
});

for (const text of [
  '',
  'vcpu0',
  'vcpu0.w1',
  'vcpu0.w1/',
  'vcpu0/access.use',
  'Vcpu0.w1/access.use',
  'vcpu0.1w/access.use',
  'vcpu0.w1/access.use.more',
  'vcpu0.w1/access.',
  'vcpu0.w1/access.use@1',
  'vcpu0.w1/access.use@pe',
  'vcpu0.w1/access.use#',
  'vcpu0.w1/access.use#-1',
  'vcpu0.w1/access.use#1@pe1',
  'vcpu0.w1/access use',
  ' vcpu0.w1/access.use',
  'vcpu0.w1/access.use\n',
]) {
  test(`${JSON.stringify(text)} is no event name`, (t) => {
    t.is(parseName(text), undefined);
  });
}

for (const system of SYSTEMS) {
  test(`${system.id}: the name of every event of a run finds the event again`, (t) => {
    const configuration = system.configurations[0]!;
    const session = new Session(system, configuration);
    const { machine, directory } = session;
    let arrivals = 0;
    for (let seed = 0; seed < 40; seed += 1) {
      const draft = new Generator(system).draft(new Random(seed), configuration);
      session.load(draft.program);
      const recorder = new Recorder(new RandomStrategy(new Random(seed, 1), CALM));
      runRecorded(session, { ...draft, order: [], choices: [] }, recorder);
      const texts = new Set<string>();
      for (const { operation, site: at, pe, occurrence } of recorder.events) {
        const text = formatName(
          nameOf(machine, directory, { operation, site: at, pe }, occurrence),
        );
        texts.add(text);
        const key = resolveName(machine, directory, parseName(text)!);
        t.deepEqual(key, { operation, site: at, pe, occurrence }, text);
        if (pe >= 0) arrivals += 1;
      }
      t.is(texts.size, recorder.events.length, 'each event has a name of its own');
    }
    t.true(arrivals > 0);
  });
}

test('names of what is not there are not resolved', (t) => {
  const system = SYSTEMS[0]!;
  const session = new Session(system, system.configurations[0]!);
  session.load([{ actor: 'vcpu0', operations: [{ key: 'r1', operation: 'read', args: [0] }] }]);
  const { machine, directory } = session;
  const resolve = (text: string) => resolveName(machine, directory, parseName(text)!);
  t.not(resolve('vcpu0.r1/access.use'), undefined);
  t.is(resolve('vcpu0.r1/end')?.site, 0);
  t.is(resolve('vcpu0.r2/access.use'), undefined);
  t.is(resolve('vcpu1.r1/access.use'), undefined);
  t.is(resolve('vcpu0.r1/access.misuse'), undefined);
});

test('occurrences are counted from 1, apart for each operation, site and PE', (t) => {
  const counter = new OccurrenceCounter();
  const event = { operation: 1, site: 7, pe: -1 };
  t.is(counter.peek(event), 1);
  t.is(counter.next(event), 1);
  t.is(counter.peek(event), 2);
  t.is(counter.next(event), 2);
  t.is(counter.next({ ...event, pe: 0 }), 1);
  t.is(counter.next({ ...event, operation: 2 }), 1);
  t.is(counter.next({ ...event, site: 8 }), 1);
  counter.reset();
  t.is(counter.next(event), 1);
});
