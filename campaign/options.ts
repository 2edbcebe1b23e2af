/** What a campaign is asked to do, checked at the edge. */
import { availableParallelism } from 'node:os';
import type { Target } from '../fuzz/execution.ts';
import { findStrategy, STRATEGIES } from '../fuzz/strategies/registry.ts';
import type { Bug, Configuration, System } from '../models/system.ts';
import { catalogue } from './catalogue.ts';
import { UsageError } from './usage.ts';

export { UsageError } from './usage.ts';

const JOBS_MAX = 256;

export function listedSystems(): readonly System[] {
  return catalogue().systems.filter((system) => system.isListed);
}

/** The systems with these ids; all listed ones when none is named. */
export function systemsNamed(ids: readonly string[]): readonly System[] {
  if (ids.length === 0) return listedSystems();
  return [...new Set(ids)].map((id) => {
    const { systems } = catalogue();
    const system = systems.find((candidate) => candidate.id === id);
    if (system !== undefined) return system;
    throw new UsageError(`unknown system "${id}" (${systems.map((one) => one.id).join(', ')})`);
  });
}

export interface SystemBug {
  readonly system: System;
  readonly bug: Bug;
}

/** The bug that an id or a unique prefix of it names, among some systems. */
export function bugNamed(text: string, systems: readonly System[]): SystemBug {
  const all = systems.flatMap((system) => system.bugs.map((bug) => ({ system, bug })));
  const exact = all.filter(({ bug }) => bug.id === text || bug.id.split('-')[0] === text);
  const found = exact.length > 0 ? exact : all.filter(({ bug }) => bug.id.startsWith(text));
  const [first] = found;
  if (first === undefined) {
    throw new UsageError(`unknown bug "${text}" (${all.map(({ bug }) => bug.id).join(', ')})`);
  }
  if (found.length > 1) {
    throw new UsageError(
      `bug "${text}" is not unique (${found.map(({ bug }) => bug.id).join(', ')})`,
    );
  }
  return first;
}

export interface TargetRequest {
  readonly systems: readonly string[];
  readonly bugs: readonly string[];
  readonly configuration: string | undefined;
  readonly fidelity: string | undefined;
}

/** One target per system (and per bug, when bugs are named). */
export function targetsOf(request: TargetRequest): readonly Target[] {
  const named = systemsNamed(request.systems);
  if (request.bugs.length > 0) {
    return request.bugs.map((text) => {
      const among = request.systems.length === 0 ? catalogue().systems : named;
      const { system, bug } = bugNamed(text, among);
      const needed = request.configuration ?? bug.configuration;
      return {
        system,
        configurations: configurationsOf(system, needed, request.fidelity),
        bugs: [bug.id],
      };
    });
  }
  const targets = named.flatMap((system): Target[] => {
    const wanted = request.configuration?.replace(/\*$/, '');
    const has = system.configurations.some(({ id }) =>
      wanted === request.configuration ? id === wanted : id.startsWith(wanted!),
    );
    if (request.configuration !== undefined && !has && named.length > 1) return [];
    return [
      {
        system,
        configurations: configurationsOf(system, request.configuration, request.fidelity),
        bugs: [],
      },
    ];
  });
  if (targets.length === 0)
    throw new UsageError(`no system has a configuration "${request.configuration}"`);
  return targets;
}

/** The named configuration, or all correct ones of the fidelity, or those that match `prefix*`. */
export function configurationsOf(
  system: System,
  id: string | undefined,
  fidelity: string | undefined,
): readonly Configuration[] {
  const known = system.configurations.filter(
    (one) => fidelity === undefined || one.fidelity === fidelity,
  );
  if (known.length === 0) {
    const all = [...new Set(system.configurations.map((one) => one.fidelity))];
    throw new UsageError(
      `${system.id} has no configuration of fidelity "${fidelity}" (${all.join(', ')})`,
    );
  }
  if (id === undefined) return known.filter(({ kind }) => kind === 'correct');
  const found = id.endsWith('*')
    ? known.filter((one) => one.kind === 'correct' && one.id.startsWith(id.slice(0, -1)))
    : known.filter((one) => one.id === id);
  if (found.length > 0) return found;
  throw new UsageError(
    `unknown configuration "${id}" of ${system.id} (${known.map((one) => one.id).join(', ')})`,
  );
}

export function checkStrategy(id: string | undefined): string | undefined {
  if (id === undefined || findStrategy(id) !== undefined) return id;
  throw new UsageError(`unknown strategy "${id}" (${STRATEGIES.map((one) => one.id).join(', ')})`);
}

/** Seconds of a duration such as 90, 90s, 10m, 8h. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) throw new UsageError(`"${text}" is no duration (such as 30s, 10m, 8h)`);
  const unit = { ms: 0.001, s: 1, m: 60, h: 3600 }[match[2] ?? 's'] ?? 1;
  return Number(match[1]) * unit;
}

/** A whole number, or a commit hash whose first 12 digits are taken. */
export function parseSeed(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (/^[0-9a-f]{40}$/.test(text)) return Number.parseInt(text.slice(0, 12), 16);
  throw new UsageError(
    `"${text}" is no seed (a whole number of at most 15 digits, or a commit hash)`,
  );
}

/** Worker threads: as many as asked for, one per core by default. */
export function parseJobs(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const jobs = parseCount('--jobs')(text);
  if (jobs <= JOBS_MAX) return jobs;
  throw new UsageError(`--jobs is "${text}"; at most ${JOBS_MAX} are allowed`);
}

/** The engine and its Redis; null for threads of this machine. */
export function parseEngine(engine: string | undefined, redis: string | undefined): string | null {
  const name = engine ?? 'local';
  if (name !== 'local' && name !== 'bullmq')
    throw new UsageError(`--engine is "${name}" (local, bullmq)`);
  if (name === 'local' && redis === undefined) return null;
  if (name === 'local') throw new UsageError('--redis needs --engine bullmq');
  if (redis === undefined) throw new UsageError('--engine bullmq needs --redis URL');
  return redis;
}

export function parseCount(name: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,12}$/.test(text) && Number(text) > 0) return Number(text);
    throw new UsageError(`${name} is "${text}"; a whole number above 0 is allowed`);
  };
}
