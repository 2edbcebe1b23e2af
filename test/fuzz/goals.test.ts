import test from 'ava';
import { readCase } from '../../campaign/corpus.ts';
import { Executor } from '../../fuzz/execution.ts';
import { type GoalProgram, GoalSeeker, goalsIn, soughtGoals } from '../../fuzz/goals.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { SYSTEMS } from '../../models/registry.ts';
import type { Goal } from '../../models/system.ts';
import { Event } from '../../sim/event.ts';
import { ANYBODY, ANYWHERE, type GoalStep } from '../../sim/goal-steps.ts';
import { SiteDirectory, siteOf } from '../../sim/site.ts';
import { Trace } from '../../sim/trace.ts';

const goal = (...steps: readonly GoalStep[]): Goal => ({ id: 'goal', title: 'a goal', steps });
const at = (who: string, site: GoalStep['site'], rest: Partial<GoalStep> = {}): GoalStep => ({
  who,
  site,
  event: Event.Read,
  ...rest,
});

/** A trace of reads: actor and site of each, and its first two fields. */
function traceOf(...rows: readonly (readonly [actor: number, site: string, a?: number])[]): Trace {
  const trace = new Trace();
  for (const [actor, site, a = 0] of rows) {
    trace.add(Event.Read, 0, actor, 0, siteOf(site), a, 0, 0, 0);
  }
  return trace;
}

const isFound = (wanted: Goal, trace: Trace): boolean =>
  new GoalSeeker(soughtGoals([wanted])).find(trace).length === 1;

test('events in the order of the goal, with others in between', (t) => {
  const wanted = goal(at('a', 'x.one'), at('b', 'x.two'), at('a', 'x.three'));
  t.true(isFound(wanted, traceOf([0, 'x.one'], [0, 'x.two'], [1, 'x.two'], [0, 'x.three'])));
  t.false(isFound(wanted, traceOf([1, 'x.two'], [0, 'x.one'], [0, 'x.three'])));
  t.false(isFound(wanted, traceOf([0, 'x.one'], [1, 'x.two'], [1, 'x.three'])));
});

test('different names are different actors, whoever comes first', (t) => {
  const wanted = goal(at('a', 'x.one'), at('b', 'x.one'), at('b', 'x.two'));
  t.false(isFound(wanted, traceOf([0, 'x.one'], [0, 'x.one'], [0, 'x.two'])));
  t.true(isFound(wanted, traceOf([2, 'x.one'], [0, 'x.one'], [1, 'x.one'], [1, 'x.two'])));
});

test('fields and kinds of events count where the goal names them', (t) => {
  const wanted = goal(at('a', 'x.one', { a: 7 }));
  t.false(isFound(wanted, traceOf([0, 'x.one', 6])));
  t.true(isFound(wanted, traceOf([0, 'x.one', 6], [0, 'x.one', 7])));
  t.false(isFound(goal(at('a', 'x.one', { event: Event.Fault })), traceOf([0, 'x.one'])));
});

test('equal names are one object, different ones are different objects', (t) => {
  const one = goal(at('a', 'x.one', { on: 'e' }), at('b', 'x.two', { on: 'e' }));
  t.false(isFound(one, traceOf([0, 'x.one', 5], [1, 'x.two', 6])));
  t.true(isFound(one, traceOf([0, 'x.one', 6], [0, 'x.one', 5], [1, 'x.two', 6])));
  const two = goal(at('a', 'x.one', { on: 'e' }), at('b', 'x.two', { on: 'f' }));
  t.false(isFound(two, traceOf([0, 'x.one', 5], [1, 'x.two', 5])));
  t.true(isFound(two, traceOf([0, 'x.one', 5], [1, 'x.two', 6])));
});

test('of several sites any will do', (t) => {
  const wanted = goal(at('a', ['x.one', 'x.two']), at('b', 'x.three'));
  t.true(isFound(wanted, traceOf([0, 'x.two'], [1, 'x.three'])));
  t.false(isFound(wanted, traceOf([0, 'x.three'], [1, 'x.three'])));
});

/** Claims and reads: actor, operation instance, site (of a read) or what is claimed about what. */
type Told = readonly [actor: number, operation: number, what: string | readonly [number, number]];

function toldOf(...rows: readonly Told[]): Trace {
  const trace = new Trace();
  for (const [actor, operation, what] of rows) {
    if (typeof what === 'string')
      trace.add(Event.Read, 0, actor, operation, siteOf(what), 0, 0, 0, 0);
    else trace.add(Event.Claim, 0, actor, operation, siteOf('x.claim'), 7, ...what, 0);
  }
  return trace;
}

const claims = (who: string, b: number, c: number, rest: Partial<GoalStep> = {}): GoalStep =>
  at(who, ANYWHERE, { event: Event.Claim, a: 7, b, c, ...rest });

/** Three operations: two alike, with other arguments. */
const PROGRAM = {
  operations: [{ id: 'take' }, { id: 'take' }, { id: 'drop' }],
  duties: [{ args: [1, 5] }, { args: [2, 5] }, { args: [1] }],
} as unknown as GoalProgram;

const isIn = (wanted: Goal, trace: Trace): boolean =>
  new GoalSeeker(soughtGoals([wanted])).find(trace, PROGRAM).length === 1;

test('steps of an operation are found in it, and of one instance', (t) => {
  const take = { id: 'take' };
  const wanted = goal(at('a', 'x.one', { operation: take }), at('a', 'x.two', { operation: take }));
  t.true(isIn(wanted, toldOf([0, 0, 'x.one'], [0, 2, 'x.two'], [0, 0, 'x.two'])));
  t.false(isIn(wanted, toldOf([0, 0, 'x.one'], [0, 1, 'x.two'])));
  // the second of two instances may be the one that goes on
  t.true(isIn(wanted, toldOf([0, 0, 'x.one'], [0, 1, 'x.one'], [0, 1, 'x.two'])));
  t.false(isFound(wanted, toldOf([0, 0, 'x.one'], [0, 0, 'x.two'])));
});

test('arguments count where the goal names them', (t) => {
  const one = (args: readonly (number | undefined)[]): Goal =>
    goal(at('a', 'x.one', { operation: { id: 'take', args } }), at('a', 'x.two'));
  const trace = toldOf([0, 1, 'x.one'], [0, 2, 'x.two']);
  t.true(isIn(one([2]), trace));
  t.true(isIn(one([undefined, 5]), trace));
  t.false(isIn(one([1]), trace));
  t.false(isIn(one([2, 6]), trace));
});

test('a claim stands until somebody claims something else about the same thing', (t) => {
  const wanted = goal(claims(ANYBODY, 3, 1, { stands: true }), at('a', 'x.one'));
  t.true(isIn(wanted, toldOf([-1, -1, [3, 1]], [0, 0, 'x.one'])));
  t.true(isIn(wanted, toldOf([0, 0, [3, 1]], [1, 1, [4, 2]], [0, 0, 'x.one'])));
  t.false(isIn(wanted, toldOf([0, 0, [3, 1]], [1, 1, [3, 2]], [0, 0, 'x.one'])));
  // the one that stands is not the first of its kind
  const again = toldOf([0, 0, [3, 1]], [1, 1, [3, 2]], [1, 1, [3, 1]], [0, 0, 'x.one']);
  t.true(isIn(wanted, again));
});

test('a goal is found once', (t) => {
  const seeker = new GoalSeeker(soughtGoals([goal(at('a', 'x.one'))]));
  t.deepEqual(seeker.find(traceOf([0, 'x.two'])), []);
  t.deepEqual(seeker.find(traceOf([0, 'x.one'])), ['goal']);
  t.deepEqual(seeker.find(traceOf([0, 'x.one'])), []);
});

for (const { id, goals, sites, configurations } of SYSTEMS) {
  if (goals.length === 0) continue;
  test(`${id}: goals are different, at declared sites, and some configuration can reach each`, (t) => {
    const directory = new SiteDirectory(sites);
    t.is(new Set(goals.map((one) => one.id)).size, goals.length);
    for (const { id: name, steps, isIn } of goals) {
      t.true(steps.length > 1, name);
      for (const site of steps.flatMap(({ site }): readonly string[] =>
        typeof site === 'string' ? [site] : site,
      )) {
        t.not(directory.find(site), undefined, `${name}: ${site}`);
      }
      t.true(
        configurations.some((configuration) => isIn?.(configuration) !== false),
        name,
      );
    }
  });
}

test('goals that campaigns hardly come to are reached by a case, so they are not wrong', (t) => {
  for (const id of ['P7-relax-against-walker']) {
    const value = readCase(`corpus/kvm-arm64/goal-${id}.yaml`);
    const session = new Sessions().get(value.system, value.configuration, []);
    t.is(runPlan(session, value).violation, undefined);
    const wanted = session.system.goals.find((one) => one.id === id)!;
    t.true(isFound(wanted, session.machine.trace), id);
  }
});

const RUNS = 2500;

test('runs of the correct model reach most goals of a configuration soon', (t) => {
  const system = SYSTEMS.find(({ id }) => id === 'kvm-arm64')!;
  const configuration = system.configurations.find(({ id }) => id === 'parallel-toy-soft-af')!;
  const goals = goalsIn(system, configuration);
  const seeker = new GoalSeeker(soughtGoals(goals));
  const targets = [{ system, configurations: [configuration], bugs: [] }];
  const executor = new Executor(3, targets, undefined, new Sessions());
  const found: string[] = [];
  for (let index = 0; index < RUNS; index += 1) {
    found.push(...seeker.find(executor.run(index).session.machine.trace));
  }
  const missing = goals.filter(({ id }) => !found.includes(id)).map(({ id }) => id);
  t.log(`${found.length} of ${goals.length}; not: ${missing.join(', ')}`);
  t.true(goals.length >= 12);
  t.true(found.length >= goals.length - 3);
});
