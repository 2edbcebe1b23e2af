/** Booted sessions by system, configuration and bug flags: booting costs more than a run. */
import { findSystem } from '../models/registry.ts';
import { assert } from '../sim/assert.ts';
import { Session, type SessionOptions } from './session.ts';

export class Sessions {
  readonly #booted = new Map<string, Session>();
  readonly #options: Partial<SessionOptions>;

  /** @param options for every session booted here (test switches) */
  constructor(options: Partial<SessionOptions> = {}) {
    this.#options = options;
  }

  get(system: string, configuration: string, bugs: readonly string[]): Session {
    const key = `${system} ${configuration} ${[...bugs].sort((a, b) => (a < b ? -1 : 1)).join(',')}`;
    const known = this.#booted.get(key);
    if (known !== undefined) return known;
    const found = findSystem(system);
    assert(found !== undefined, `system ${system} is registered`);
    const shape = found.configurations.find(({ id }) => id === configuration);
    assert(shape !== undefined, `${system} has a configuration ${configuration}`);
    const session = new Session(found, shape, { ...this.#options, bugs });
    this.#booted.set(key, session);
    return session;
  }

  get all(): Iterable<Session> {
    return this.#booted.values();
  }
}
