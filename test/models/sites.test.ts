/**
 * Every site of every model is executed: by a campaign over its toy configurations, or by a case of the
 * corpus. A site that nobody comes to is dead, or a hole in what is generated.
 */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import { Executor, SCHEDULES } from '../../fuzz/execution.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import type { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { SYSTEMS } from '../../models/registry.ts';
import type { System } from '../../models/system.ts';
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { SiteDirectory } from '../../sim/site.ts';

const SEED = 26;
const RUNS_MAX = 12_000;

/** Sites that no run shows, and why. */
const UNSEEN: Readonly<Record<string, string>> = {
  'entry-to-guest.enter': 'entering the guest is an event of the machine, under its own site',
  'vcpu.runGuest': 'the same',
  'unmap.readStart': 'hosts hold the lock of the address space: no two invalidations overlap here',
  'unmap.readEnd': 'as at its start',
  'detach.frozenByOther': 'a race of two removals that no sample of this size comes to',
  'split.freeSpare':
    'a lost race for the last block of a root, which no sample of this size comes to',
};

/** Systems that use another one's code: its sites are that one's to show. */
const BUILT_ON: Readonly<Record<string, string>> = { 'kvm-arm64-nested': 'kvm-arm64' };

/** What walkers and TLBs do in every system. */
const SHARED = 'models/hardware.ts';

const OF_THE_MACHINE = new Set(new SiteDirectory([walkSites, choiceSites, machineSites]).names);

/** Sites that a system declares for itself. */
function ownNames({ id, sites }: System): readonly string[] {
  const base = SYSTEMS.find((system) => system.id === BUILT_ON[id]);
  const others = new Set(base === undefined ? [] : new SiteDirectory(base.sites).names);
  const { names } = new SiteDirectory(sites);
  return names.filter((name) => !OF_THE_MACHINE.has(name) && !others.has(name));
}

/** Sites that the runs of a system have not come to. */
class Missing {
  readonly #names: Map<number, string>;

  constructor(system: System) {
    const directory = new SiteDirectory(system.sites);
    this.#names = new Map(ownNames(system).map((name) => [directory.find(name)!, name]));
  }

  look({ machine }: Session): void {
    const { trace } = machine;
    for (let row = 0; row < trace.count; row += 1) this.#names.delete(trace.site(row));
  }

  get names(): readonly string[] {
    return [...this.#names.values()].filter((name) => UNSEEN[name] === undefined);
  }
}

for (const system of SYSTEMS) {
  test(`${system.id}: every site is executed`, (t) => {
    const missing = new Missing(system);
    const sessions = new Sessions();
    for (const value of caseFiles(CORPUS_FOLDER).map(readCase)) {
      if (value.system !== system.id) continue;
      const bugs = value.bug === undefined ? [] : [value.bug];
      const session = sessions.get(value.system, value.configuration, bugs);
      runPlan(session, value);
      missing.look(session);
    }
    const configurations = system.configurations.filter(({ isReal }) => !isReal);
    // in turns, not in the stretches of a campaign: configurations are what sites depend on
    const executors = configurations.map((configuration) => {
      const target = { system, configurations: [configuration], bugs: [] };
      return new Executor(SEED, [target], undefined, sessions);
    });
    let index = 0;
    for (; index < RUNS_MAX && missing.names.length > 0; index += 1) {
      const turn = Math.floor(index / executors.length);
      missing.look(executors[index % executors.length]!.run(turn * SCHEDULES).session);
    }
    t.log(`${index} executions`);
    t.deepEqual(missing.names, []);
  });
}

test('every declared site of a model is used in its sources', (t) => {
  for (const system of SYSTEMS) {
    const { id } = system;
    const own = readdirSync(`models/${id}`)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `models/${id}/${name}`);
    const text = [...own, SHARED].map((name) => readFileSync(name, 'utf8')).join('\n');
    const unused = ownNames(system).filter(
      (name) => !new RegExp(`\\.${name.split('.')[1]}\\b`).test(text),
    );
    t.deepEqual(unused, [], id);
  }
});
