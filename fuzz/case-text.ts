/**
 * Cases as text: a strict reader that checks names against the systems, and a writer whose output the
 * reader gives back unchanged. YAML and shape are checked in case-source.ts.
 */
import { Document } from 'yaml';
import type { Configuration, OperationSpec, System } from '../models/system.ts';
import type { OracleSpec } from '../oracles/oracle.ts';
import { ORACLES } from '../oracles/registry.ts';
import { ActorRole } from '../sim/actor.ts';
import { SiteDirectory } from '../sim/site.ts';
import { type Case, type CaseChoice, type Expectation, FORMAT } from './case.ts';
import { checkShape, type Path, type Raw, Source } from './case-source.ts';
import { actorNames, operationsOf, roleOf } from './generate.ts';
import { END, type EventName, formatName, parseName } from './names.ts';
import { type Constraint, findCycle, formatConstraint, parseConstraint } from './order.ts';
import type { ActorProgram, Program, ProgramOperation } from './program.ts';

/** Reads a case; throws a CaseError that names file, line and column. */
export function parseCase(
  file: string,
  text: string,
  systems: readonly System[],
  oracles: readonly OracleSpec[] = ORACLES,
): Case {
  const source = new Source(file, text);
  const raw = checkShape(source);
  const system = systems.find(({ id }) => id === raw.system);
  if (system === undefined) {
    return source.fail(
      ['system'],
      `unknown system "${raw.system}" (${list(systems.map(({ id }) => id))})`,
    );
  }
  const configuration = system.configurations.find(({ id }) => id === raw.configuration);
  if (configuration === undefined) {
    const ids = system.configurations.map(({ id }) => id);
    return source.fail(
      ['configuration'],
      `unknown configuration "${raw.configuration}" (${list(ids)})`,
    );
  }
  if (raw.bug !== undefined && !system.bugs.some(({ id }) => id === raw.bug)) {
    source.fail(['bug'], `unknown bug "${raw.bug}" (${list(system.bugs.map(({ id }) => id))})`);
  }
  const program = readProgram(source, raw, system, configuration);
  const servant = servantOf(system, configuration);
  const names = new NameReader(source, program, new SiteDirectory(system.sites), servant);
  return {
    comment: leadingComment(text),
    policy: raw.policy,
    system: system.id,
    configuration: configuration.id,
    parameters: readParameters(source, raw, configuration),
    bug: raw.bug,
    program,
    order: names.order(raw.order ?? []),
    choices: names.choices(raw.choices ?? {}),
    expect: names.expectation(
      raw.expect,
      oracles.map(({ id }) => id),
    ),
    recorded: raw.recorded,
  };
}

function readParameters(
  source: Source,
  raw: Raw,
  configuration: Configuration,
): Record<string, number> {
  const values = raw.with ?? {};
  for (const [name, value] of Object.entries(values)) {
    const known = configuration.parameters.find((parameter) => parameter.name === name);
    if (known === undefined) {
      const names = configuration.parameters.map((parameter) => parameter.name);
      source.fail(['with', name], `unknown parameter "${name}" (${list(names)})`, true);
    }
    if (value > known.max)
      source.fail(['with', name], `${name} is ${value}; at most ${known.max} is allowed`);
  }
  return { ...values };
}

function readProgram(
  source: Source,
  raw: Raw,
  system: System,
  configuration: Configuration,
): Program {
  const known = actorNames(configuration);
  const parts = new Map<string, ProgramOperation[]>();
  for (const [actor, operations] of Object.entries(raw.program)) {
    if (!known.all.includes(actor)) {
      source.fail(['program', actor], `unknown actor "${actor}" (${list(known.all)})`, true);
    }
    const allowed = operationsOf(system, configuration, roleOf(known, actor));
    const read = Object.entries(operations).map(([key, text]) =>
      readOperation(source, ['program', actor, key], key, text, allowed, configuration),
    );
    if (read.length > 0) parts.set(actor, read);
  }
  return known.all
    .filter((actor) => parts.has(actor))
    .map((actor): ActorProgram => ({ actor, operations: parts.get(actor)! }));
}

function readOperation(
  source: Source,
  path: Path,
  key: string,
  text: string,
  allowed: readonly OperationSpec[],
  configuration: Configuration,
): ProgramOperation {
  if (!/^[a-z][a-z0-9]*$/.test(key))
    source.fail(path, `"${key}" is no operation key (a letter, then letters or digits)`, true);
  const [id = '', ...words] = text.trim().split(/\s+/);
  const spec = allowed.find(
    (candidate) => candidate.id === id || candidate.formerly?.includes(id) === true,
  );
  if (spec === undefined) {
    return source.fail(
      path,
      `unknown operation "${id}" for this actor (${list(allowed.map((one) => one.id))})`,
    );
  }
  if (words.length !== spec.parameters.length) {
    const form = [id, ...spec.parameters.map(({ name }) => name)].join(' ');
    source.fail(path, `"${text}" has ${words.length} arguments; the form is "${form}"`);
  }
  const args = words.map((word, index) => {
    const parameter = spec.parameters[index]!;
    const value = /^(0x[0-9a-f]+|\d+)$/.test(word) ? Number(word) : Number.NaN;
    const max = parameter.max(configuration);
    if (!(value <= max)) {
      source.fail(
        path,
        `${parameter.name} is "${word}"; a whole number up to 0x${max.toString(16)} is allowed`,
      );
    }
    return value;
  });
  const constrained = spec.constrain?.(args, configuration) ?? args;
  if (constrained.some((value, index) => value !== args[index])) {
    source.fail(
      path,
      `"${text}" leaves the window; "${formatOperation(id, constrained)}" is the longest that fits`,
    );
  }
  return { key, operation: spec.id, args };
}

/** The callbacks of a configuration that has some, as `actor.key`: they run in every program. */
function servantOf(system: System, configuration: Configuration): string {
  const key = system.epilogue.rcu;
  const spec = system.operations.find(({ id }) => id === key);
  return spec === undefined || spec.isIn?.(configuration) === false
    ? ''
    : `${ActorRole.Rcu}.${key}`;
}

/** Reads event names and checks them against program and sites. */
class NameReader {
  readonly #source: Source;
  readonly #program: Program;
  readonly #directory: SiteDirectory;
  /** Actor and entry that run without being in the program, as `actor.key`. */
  readonly #servant: string;

  constructor(source: Source, program: Program, directory: SiteDirectory, servant: string) {
    this.#source = source;
    this.#program = program;
    this.#directory = directory;
    this.#servant = servant;
  }

  order(texts: readonly string[]): Constraint[] {
    const constraints = texts.map((text, index) => {
      const constraint = parseConstraint(text);
      if (typeof constraint === 'string') return this.#source.fail(['order', index], constraint);
      this.#check(['order', index], constraint.before);
      this.#check(['order', index], constraint.after);
      return constraint;
    });
    const cycle = findCycle(constraints, (name) => this.#rank(name));
    if (cycle !== undefined) this.#source.fail(['order'], `impossible order: ${cycle.join(' < ')}`);
    return constraints;
  }

  choices(values: Readonly<Record<string, number>>): CaseChoice[] {
    return Object.entries(values).map(([text, answer]) => {
      const event = parseName(text);
      if (event === undefined)
        return this.#source.fail(['choices', text], `"${text}" is no event name`, true);
      this.#check(['choices', text], event, true);
      return { event, answer };
    });
  }

  expectation(raw: Raw['expect'], ids: readonly string[]): Expectation | undefined {
    if (raw === 'clean') return undefined;
    if (!ids.includes(raw.oracle)) {
      this.#source.fail(['expect', 'oracle'], `unknown oracle "${raw.oracle}" (${list(ids)})`);
    }
    const at = parseName(raw.at);
    if (at === undefined)
      return this.#source.fail(['expect', 'at'], `"${raw.at}" is no event name`);
    this.#check(['expect', 'at'], at);
    return { oracle: raw.oracle, rule: raw.rule, at };
  }

  /** Place in the actor's list; what its role adds comes last. */
  #rank(name: EventName): number {
    const position = this.#position(name);
    return position < 0 ? Number.POSITIVE_INFINITY : position;
  }

  #position(name: EventName): number {
    const part = this.#program.find(({ actor }) => actor === name.actor);
    return part === undefined ? -1 : part.operations.findIndex(({ key }) => key === name.key);
  }

  #check(path: Path, name: EventName, atKey = false): void {
    const isEpilogue =
      `${name.actor}.${name.key}` === this.#servant ||
      (this.#program.some(({ actor }) => actor === name.actor) && !/\d/.test(name.key));
    if (this.#position(name) < 0 && !isEpilogue) {
      this.#source.fail(path, `${name.actor}.${name.key} is no operation of the program`, atKey);
    }
    if (name.site !== END && this.#directory.find(name.site) === undefined) {
      this.#source.fail(
        path,
        `unknown site "${name.site}"${nearest(name.site, this.#directory.names)}`,
        atKey,
      );
    }
  }
}

function nearest(name: string, names: readonly string[]): string {
  const [group = ''] = name.split('.');
  const same = names.filter((candidate) => candidate.startsWith(`${group}.`));
  return same.length === 0 ? '' : ` (${list(same)})`;
}

/** Names that an error lists at most. */
const LISTED_MAX = 24;

function list(ids: readonly string[]): string {
  return ids.length <= LISTED_MAX ? ids.join(', ') : `${ids.slice(0, LISTED_MAX).join(', ')}, ...`;
}

function leadingComment(text: string): string {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('#')) break;
    lines.push(line.replace(/^# ?/, ''));
  }
  return lines.join('\n');
}

export function formatOperation(id: string, args: readonly number[]): string {
  return [id, ...args.map((arg) => `0x${arg.toString(16)}`)].join(' ');
}

/** The text of a case; `parseCase` gives the case back. */
export function formatCase(value: Case): string {
  const document = new Document({
    format: FORMAT,
    policy: value.policy,
    system: value.system,
    configuration: value.configuration,
    ...(Object.keys(value.parameters).length === 0 ? {} : { with: value.parameters }),
    ...(value.bug === undefined ? {} : { bug: value.bug }),
    program: Object.fromEntries(
      value.program.map(({ actor, operations }) => [
        actor,
        Object.fromEntries(
          operations.map(({ key, operation, args }) => [key, formatOperation(operation, args)]),
        ),
      ]),
    ),
    order: value.order.map(formatConstraint),
    choices: Object.fromEntries(
      value.choices.map(({ event, answer }) => [formatName(event), answer]),
    ),
    expect:
      value.expect === undefined
        ? 'clean'
        : { oracle: value.expect.oracle, rule: value.expect.rule, at: formatName(value.expect.at) },
    ...(value.recorded === undefined ? {} : { recorded: { ...value.recorded } }),
  });
  const comment = value.comment
    .split('\n')
    .map((line) => (line === '' ? '#' : `# ${line}`))
    .join('\n');
  return `${value.comment === '' ? '' : `${comment}\n`}${document.toString({ lineWidth: 0 })}`;
}
