/** Contract of oracles, for every one in the registry: see design.md 4 and docs/adding.md. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import { configurationsOf } from '../../campaign/options.ts';
import { Executor, SCHEDULES } from '../../fuzz/execution.ts';
import { replayCase } from '../../fuzz/replay.ts';
import { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { ORACLES } from '../../oracles/registry.ts';
import { EVENT_KINDS, Event } from '../../sim/event.ts';

/** The ids that design.md 4 fixes. */
const FIXED_IDS = [
  'break-before-make',
  'stale-translation',
  'freed-table',
  'freed-page',
  'reference-counts',
  'table-shape',
  'abstract-map',
  'permissions',
  'progress',
  'deadlock',
  'dirty-log',
  'accessed-bit',
  'iterator',
  'ownership',
  'content',
  'vmid',
  'context',
  'cache-maintenance',
  'system-invariant',
  // not in the design: docs/decisions.md
  'emulation',
];

/** Files of oracles/ that are no oracles. */
const SHARED_FILES = [
  'changes.ts',
  'dirty-state.ts',
  'host-dirtiness.ts',
  'kept-leaves.ts',
  'oracle.ts',
  'registry.ts',
  'translations.ts',
];

/** Oracles that no case of the corpus is caught by, and why. */
const UNCAUGHT: Readonly<Record<string, string>> = {
  deadlock: 'no known bug of the modelled systems is a lock cycle or a lost wake-up',
};

const HEADER = ['Claim', 'Why it matters', 'Blind to', 'Cost'] as const;

test('ids are different, and all are ids of design.md', (t) => {
  const ids = ORACLES.map(({ id }) => id);
  t.is(new Set(ids).size, ids.length);
  t.deepEqual(
    ids.filter((id) => !FIXED_IDS.includes(id)),
    [],
  );
});

test('the folder holds a file for each oracle in the registry and no other', (t) => {
  const files = readdirSync('oracles').filter((name) => !SHARED_FILES.includes(name));
  t.deepEqual(files.sort(), ORACLES.map(({ id }) => `${id}.ts`).sort());
});

for (const { id, claim, listens } of ORACLES) {
  test(`${id} says what it claims, why it matters, what it is blind to, and its cost`, (t) => {
    const text = readFileSync(`oracles/${id}.ts`, 'utf8');
    const header = text.slice(0, text.indexOf('*/'));
    t.true(header.startsWith('/**'));
    const at = HEADER.map((label) => header.indexOf(`${label}: `));
    t.true(
      at.every((offset) => offset > 0),
      `labels at ${at.join(', ')}`,
    );
    t.deepEqual(
      [...at].sort((a, b) => a - b),
      at,
    );
    t.true(claim.length > 20);
  });

  test(`${id} listens to kinds of events that there are, each once`, (t) => {
    t.true(listens.length > 0);
    t.is(new Set(listens).size, listens.length);
    for (const kind of listens) t.true(kind > Event.Invalid && kind < EVENT_KINDS);
  });
}

// ---- silent on correct models ----

const SILENT_RUNS = 450;

test(`every oracle judges and is silent over ${SILENT_RUNS} executions of each correct system`, (t) => {
  const sessions = new Sessions();
  // in turns, not in the stretches of a campaign
  const executors = SYSTEMS.flatMap((system) =>
    configurationsOf(system, undefined, undefined).map((configuration) => {
      const target = { system, configurations: [configuration], bugs: [] };
      return new Executor(17, [target], undefined, sessions);
    }),
  );
  for (let index = 0; index < SILENT_RUNS; index += 1) {
    const turn = Math.floor(index / executors.length);
    const { session, result } = executors[index % executors.length]!.run(turn * SCHEDULES);
    const { violation } = result;
    const name = `${session.configuration.id} ${turn}: ${violation?.oracle} ${violation?.rule}`;
    t.is(violation, undefined, name);
  }
  const judgements = new Map(ORACLES.map(({ id }) => [id, 0]));
  for (const { oracles } of sessions.all) {
    for (const [id, { judgements: own }] of oracles) judgements.set(id, judgements.get(id)! + own);
  }
  t.log(...[...judgements].map(([id, count]) => `${id} ${count}`));
  for (const [id, count] of judgements) t.true(count > 0, `${id} judged nothing`);
});

// ---- not silent on bugs ----

const CASES = caseFiles(CORPUS_FOLDER).map(readCase);

for (const { id } of ORACLES) {
  test(`${id} catches a case of the corpus, or is known to catch none`, (t) => {
    const own = CASES.filter(({ expect }) => expect?.oracle === id);
    if (UNCAUGHT[id] === undefined) t.true(own.length > 0, 'name it in UNCAUGHT with the reason');
    else t.is(own.length, 0, 'it catches one now: take it out of UNCAUGHT');
  });
}

test('an oracle alone catches the cases that name it', (t) => {
  for (const value of CASES) {
    const { expect, bug } = value;
    if (expect === undefined || bug === undefined) continue;
    const system = SYSTEMS.find(({ id }) => id === value.system)!;
    const configuration = system.configurations.find(({ id }) => id === value.configuration)!;
    const session = new Session(system, configuration, { bugs: [bug], oracles: [expect.oracle] });
    const sessions = new Sessions();
    sessions.get = () => session;
    t.is(replayCase(sessions, value).verdict, 'reproduced', bug);
  }
});
