/** Booted sessions by system, configuration and bug flags: booting costs more than a run. */
import { Dispatchers } from '../sim/dispatch.ts';
import { BUILT_IN, type Catalogue, configurationIn, systemIn } from './catalogue.ts';
import { Session, type SessionOptions } from './session.ts';

/** Booted sessions, one for each system, configuration and set of bug flags; booted when first asked for. */
export class Sessions {
  readonly #booted = new Map<string, Session>();
  readonly #options: Partial<SessionOptions>;
  readonly #catalogue: Catalogue;

  /** @param options for every session booted here (test switches) */
  constructor(options: Partial<SessionOptions> = {}, catalogue: Catalogue = BUILT_IN) {
    this.#options = {
      oracleSpecs: catalogue.oracles,
      dispatchers: new Dispatchers(),
      ...options,
    };
    this.#catalogue = catalogue;
  }

  get(system: string, configuration: string, bugs: readonly string[]): Session {
    const key = `${system} ${configuration} ${[...bugs].sort((a, b) => (a < b ? -1 : 1)).join(',')}`;
    const known = this.#booted.get(key);
    if (known !== undefined) return known;
    const found = systemIn(this.#catalogue, system);
    const shape = configurationIn(found, configuration);
    const session = new Session(found, shape, { ...this.#options, bugs });
    this.#booted.set(key, session);
    return session;
  }

  get all(): Iterable<Session> {
    return this.#booted.values();
  }
}
