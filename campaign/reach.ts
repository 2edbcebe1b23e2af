/**
 * What the corpus and a campaign come to in one system: conflict pairs, states of entries, transitions by
 * level, goals. A function of corpus, seed and number of executions, so that two versions can be compared.
 */
import type { Case } from '../fuzz/case.ts';
import {
  Coverage,
  pairOf,
  SIGNALS,
  type Signal,
  type Transition,
  transitionOf,
} from '../fuzz/coverage.ts';
import { GoalSeeker, goalsIn, soughtGoals } from '../fuzz/goals.ts';
import { runPlan } from '../fuzz/schedule.ts';
import type { System } from '../models/system.ts';
import { SiteDirectory } from '../sim/site.ts';
import { Campaign } from './campaign.ts';
import { openSessions } from './catalogue.ts';
import type { CoverageFigures, CoverageTotals } from './coverage.ts';
import type { Engine } from './engine.ts';
import { configurationsOf } from './options.ts';
import { firstOf, type Totals } from './totals.ts';

/** How often something was seen: cases of the corpus, and executions (counted up to three). */
export interface Seen {
  readonly corpus: number;
  readonly campaign: number;
  /** A case file, or SYSTEM:SEED:INDEX: `replay` shows it. */
  readonly example: string;
}

export interface PairSeen extends Seen {
  readonly before: string;
  readonly after: string;
}

export interface TransitionSeen extends Seen, Transition {}

export interface GoalSeen {
  readonly id: string;
  readonly title: string;
  readonly isReached: boolean;
  readonly example: string | null;
}

export interface Reach {
  readonly system: string;
  readonly seed: number;
  readonly executions: number;
  readonly cases: number;
  readonly sites: readonly string[];
  readonly pairs: readonly PairSeen[];
  readonly transitions: readonly TransitionSeen[];
  readonly goals: readonly GoalSeen[];
  /** Of the campaign, with an estimate of what it could reach and has not. */
  readonly figures: Readonly<Record<Signal, CoverageFigures>>;
}

export interface ReachOptions {
  readonly system: System;
  readonly cases: readonly { readonly file: string; readonly value: Case }[];
  readonly seed: number;
  readonly runs: number;
}

type Keys = Record<'pairs' | 'states', Map<number, { count: number; first: string }>>;

/** What came to what in the corpus: keys, and for each goal that was reached a case. */
interface CorpusReach extends Keys {
  readonly goals: ReadonlyMap<string, string>;
}

export async function reachOf(options: ReachOptions, engine: Engine): Promise<Reach> {
  const { system, seed, runs, cases } = options;
  const corpus = corpusReach(cases);
  const totals = await campaignTotals(options, engine);
  const campaign = keysOf(totals.coverage, system.id, seed);
  const reached = [...totals.cells.values()].map(({ goals }) => goals).reduce(firstOf, {});
  const names = new SiteDirectory(system.sites).names;
  const seen = (signal: keyof Keys, key: number): Seen => {
    const inCorpus = corpus[signal].get(key);
    const inCampaign = campaign[signal].get(key);
    return {
      corpus: inCorpus?.count ?? 0,
      campaign: inCampaign?.count ?? 0,
      example: inCorpus?.first ?? inCampaign?.first ?? '',
    };
  };
  const keys = (signal: keyof Keys): number[] =>
    [...new Set([...corpus[signal].keys(), ...campaign[signal].keys()])].sort((a, b) => a - b);
  return {
    system: system.id,
    seed,
    executions: runs,
    cases: cases.length,
    sites: names,
    pairs: keys('pairs').map((key) => {
      const [before, after] = pairOf(key);
      return { before: names[before]!, after: names[after]!, ...seen('pairs', key) };
    }),
    transitions: transitions(keys('states').map((key) => [key, seen('states', key)])),
    goals: system.goals.map(({ id, title }) => {
      const first = reached[id];
      const execution = first === undefined ? null : `${system.id}:${seed}:${first}`;
      const example = corpus.goals.get(id) ?? execution;
      return { id, title, isReached: example !== null, example };
    }),
    figures: Object.fromEntries(
      SIGNALS.map((signal) => [signal, totals.coverage.figures(system.id, signal)]),
    ) as Record<Signal, CoverageFigures>,
  };
}

/** Every case as it is stored, with its bug. */
function corpusReach(cases: ReachOptions['cases']): CorpusReach {
  const keys: Keys = { pairs: new Map(), states: new Map() };
  const goals = new Map<string, string>();
  const sessions = openSessions();
  for (const { file, value } of cases) {
    const bugs = value.bug === undefined ? [] : [value.bug];
    const session = sessions.get(value.system, value.configuration, bugs);
    runPlan(session, value);
    const seeker = new GoalSeeker(soughtGoals(goalsIn(session.system, session.configuration)));
    const { machine, loaded } = session;
    for (const id of seeker.find(machine.trace, loaded)) if (!goals.has(id)) goals.set(id, file);
    const coverage = new Coverage(session);
    coverage.read();
    for (const signal of ['pairs', 'states'] as const) {
      for (const key of coverage[signal]) {
        const known = keys[signal].get(key);
        if (known === undefined) keys[signal].set(key, { count: 1, first: file });
        else known.count += 1;
      }
    }
  }
  return { ...keys, goals };
}

async function campaignTotals(
  { system, seed, runs }: ReachOptions,
  engine: Engine,
): Promise<Totals> {
  const configurations = configurationsOf(system, undefined, undefined);
  const targets = [{ system, configurations, bugs: [] }];
  const limits = { runs, seconds: undefined, stopOnFinding: false };
  const campaign = new Campaign({ seed, targets, strategy: undefined, ...limits }, engine);
  return (await campaign.run()).totals;
}

function keysOf(totals: CoverageTotals, system: string, seed: number): Keys {
  const keys: Keys = { pairs: new Map(), states: new Map() };
  const own = totals.all.find((one) => one.system === system);
  for (const signal of ['pairs', 'states'] as const) {
    const flat = own?.keys[signal] ?? [];
    for (let i = 0; i < flat.length; i += 3) {
      const first = `${system}:${seed}:${flat[i + 2]}`;
      keys[signal].set(flat[i]!, { count: flat[i + 1]!, first });
    }
  }
  return keys;
}

/** States by what became of the entry and at which level, whoever did it. */
function transitions(states: readonly (readonly [number, Seen])[]): readonly TransitionSeen[] {
  const sums = new Map<string, TransitionSeen>();
  for (const [key, seen] of states) {
    const transition = transitionOf(key);
    const name = `${transition.level} ${transition.from} ${transition.to}`;
    const known = sums.get(name);
    sums.set(name, {
      ...transition,
      corpus: (known?.corpus ?? 0) + seen.corpus,
      campaign: (known?.campaign ?? 0) + seen.campaign,
      example: known?.example ?? seen.example,
    });
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** What the base reached, at the same budget, and this does not any more. */
export interface Lost {
  readonly system: string;
  readonly kind: 'goal' | 'pair' | 'transition';
  readonly name: string;
  /** Where the base came to it. */
  readonly example: string;
}

/**
 * Goals and pairs that the base reached. Pairs that it saw in fewer than three executions are left to chance
 * unless a case of the corpus has them: a campaign may come to a rare pair or not.
 */
export function lostSince(base: Reach, now: Reach): readonly Lost[] {
  const { system } = now;
  const goals = base.goals
    .filter(
      ({ id, isReached }) => isReached && !now.goals.some((one) => one.id === id && one.isReached),
    )
    .map(({ id, example }): Lost => ({ system, kind: 'goal', name: id, example: example ?? '' }));
  const sites = new Set(now.sites);
  const pairs = missing(base.pairs, now.pairs, ({ before, after }) => `${before} -> ${after}`)
    .filter(({ one }) => sites.has(one.before) && sites.has(one.after))
    .map(({ name, one }): Lost => ({ system, kind: 'pair', name, example: one.example }));
  const changes = missing(
    base.transitions,
    now.transitions,
    ({ level, from, to }) => `level ${level}: ${from} -> ${to}`,
  ).map(({ name, one }): Lost => ({ system, kind: 'transition', name, example: one.example }));
  return [...goals, ...pairs, ...changes];
}

const OFTEN = 3;

function missing<One extends Seen>(
  base: readonly One[],
  now: readonly One[],
  nameOf: (one: One) => string,
): { name: string; one: One }[] {
  const there = new Set(now.map(nameOf));
  return base
    .filter(({ corpus, campaign }) => corpus > 0 || campaign >= OFTEN)
    .map((one) => ({ name: nameOf(one), one }))
    .filter(({ name }) => !there.has(name));
}
