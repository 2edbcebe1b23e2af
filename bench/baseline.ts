/**
 * The bare generator loop that every figure is compared with: 4 flat generators of 64 rounds of
 * load, compare-exchange and store on 8 shared cells, one integer `yield` per access, a random pick
 * among the live ones by a 32-bit xorshift. No trace, no oracles.
 */
const ACTORS = 4;
const ROUNDS = 64;
const CELLS = 8;

const Kind = { Load: 0, CompareExchange: 1, Store: 2 } as const;

interface Request {
  kind: number;
  cell: number;
  value: number;
  expected: number;
  result: number;
}

function* actor(id: number, request: Request): Generator<number, void, undefined> {
  for (let round = 0; round < ROUNDS; round += 1) {
    request.kind = Kind.Load;
    request.cell = (id + round) & (CELLS - 1);
    yield Kind.Load;
    request.kind = Kind.CompareExchange;
    request.expected = request.result;
    request.value = request.result + 1;
    yield Kind.CompareExchange;
    request.kind = Kind.Store;
    request.cell = (3 * id + round) & (CELLS - 1);
    request.value = round;
    yield Kind.Store;
  }
}

/** Runs the loop once and returns its steps. `state` is the xorshift's; never 0. */
export function runBaseline(cells: Int32Array, state: { x: number }): number {
  const requests = Array.from({ length: ACTORS }, () => ({
    kind: 0,
    cell: 0,
    value: 0,
    expected: 0,
    result: 0,
  }));
  const actors = requests.map((request, id) => actor(id, request));
  const live = actors.map((_, id) => id);
  for (const one of actors) one.next();
  let count = ACTORS;
  let steps = 0;
  let { x } = state;
  while (count > 0) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    const at = (x >>> 0) % count;
    const id = live[at]!;
    const request = requests[id]!;
    if (request.kind === Kind.Load) request.result = cells[request.cell]!;
    else if (request.kind === Kind.Store) cells[request.cell] = request.value;
    else if (cells[request.cell] === request.expected) cells[request.cell] = request.value;
    steps += 1;
    if (actors[id]!.next().done === true) {
      count -= 1;
      live[at] = live[count]!;
    }
  }
  state.x = x;
  return steps;
}
