"""What do the API's routes cost, a payment above all, compared with bare Django views under the same server?

    python benchmarks/api.py [--database-url postgres://…] [--base FOLDER] [--rounds 5] [--quick]

Servers on loopback, as the bank is served (`servers.py`): the bank, and a bare view (`bare_view.py`) that runs the
hand-written SQL of a payment on a copy of the same database. A thousand customers pay one another, so that each has a
minute as customers have, and ask the other routes in turn. All take turns:

  routes      eight clients: GET routes and `POST accounts/{number}/transfer`, beside a view that does nothing
  clients     the same payment by 1, 8 and 32 clients, beside the bare view with hand-written SQL
  kinds       payments that are first ones (asked, refused for want of a code, asked again with it), repeated, refused

Processor time is that of the server's workers, with SQLite the engine's work in it. Latencies are p50 and p99 of a
round. `--base` names a checkout of commit 11100bd with its `.venv`, whose `GET auth/session` takes turns with ours.
"""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django_otp.oath import totp
from figures import Figure, figure, program, ratios, take_turns, tell
from scratch_bank import ROOT, Bank, Person, copied, prepare, require_exact, scratch_folder
from servers import Ask, Served, Server, answer_of, asking, drive, http, served

GETS = {"GET auth/session": "auth/session", "GET accounts": "accounts", "GET profile": "profile"}
SESSION, POST, HAND, BARE = "GET auth/session", "POST transfer", "bare view, hand-written SQL", "bare view"
# On servers that get no other requests.
HERE, BASE = "GET auth/session alone, this commit", "GET auth/session alone, 11100bd"
FIRST, AGAIN, REFUSED = "first payment, with its code", "the same request again", "refused, no funds"
CLIENTS = (1, 8, 32)
_CHEAP = 4


@dataclass(frozen=True)
class Target:
    """What is measured: a server, and this many requests for it."""

    server: Server
    asks: Callable[[int], list[Ask]]
    weight: int = 1  # more of the cheap ones: processor time is measured in hundredths of a second

    def measured(self, requests: int, clients: int = 8) -> Served:
        return drive(self.server, self.asks(requests * self.weight), clients=clients)


# --- What is asked ---------------------------------------------------------------------------------------------


def bearer(who: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {who.token}"}


def transfer(payer: Person, payee: Person, key: str, **more: str) -> bytes:
    body = {"to": payee.number, "amount": "0.01"} | more
    path = f"/api/v1/accounts/{payer.number}/transfer"
    return http("POST", path, body, Idempotency_Key=key, **bearer(payer))


def gets(bank: Bank, path: str) -> Callable[[int], list[Ask]]:
    """Ask for one customer after another, like payments: a new token has to be read."""
    turn = itertools.cycle([http("GET", f"/api/v1/{path}", **bearer(one)) for one in bank.people])
    return lambda count: [asking(next(turn), expect=200) for _ in range(count)]


def payments(bank: Bank) -> Callable[[int], list[Ask]]:
    """Pay known payees, each time for the next customer."""
    turn = itertools.cycle(bank.people)

    def asks(count: int) -> list[Ask]:
        payers = [next(turn) for _ in range(count)]
        requests = [transfer(one, bank.people[one.knows], uuid.uuid4().hex) for one in payers]
        return [asking(request, expect=201) for request in requests]

    return asks


def payments_by_hand(bank: Bank) -> Callable[[int], list[Ask]]:
    turn = itertools.cycle(bank.payments())

    def asks(count: int) -> list[Ask]:
        bodies = [{"payment": asdict(next(turn)), "key": uuid.uuid4().hex} for _ in range(count)]
        return [asking(http("POST", "/pay", body), expect=201) for body in bodies]

    return asks


def first_payments(bank: Bank) -> Callable[[int], list[Ask]]:
    """Pay people whom nobody has paid yet: each customer's code works once, so each is used once."""
    people = bank.people
    pairs = ((one, people[(place + step) % len(people)]) for step in (2, 3) for place, one in enumerate(people))
    return lambda count: [first_payment(*pair) for pair in itertools.islice(pairs, count)]


def first_payment(payer: Person, payee: Person) -> Ask:
    key = uuid.uuid4().hex

    def ask(port: int) -> None:
        refused = json.loads(answer_of(port, transfer(payer, payee, key, name=payee.name), expect=403))
        code = f"{totp(bytes.fromhex(payer.totp_key), t0=0, step=30, digits=6):06}"
        proof = {"challenge": refused["challenge"]["id"], "code": code, "name": payee.name}
        answer_of(port, transfer(payer, payee, key, **proof), expect=201)

    return ask


def repeated_payments(bank: Bank, server: Server, count: int) -> Callable[[int], list[Ask]]:
    """Repeat requests that were carried out before."""
    payers = bank.people[:count]
    requests = [transfer(one, bank.people[one.knows], uuid.uuid4().hex) for one in payers]
    for request in requests:
        answer_of(server.port, request, expect=201)
    turn = itertools.cycle([asking(request, expect=201) for request in requests])
    return lambda many: [next(turn) for _ in range(many)]


def refused_payments(bank: Bank) -> Callable[[int], list[Ask]]:
    turn = itertools.cycle(bank.people)

    def asks(count: int) -> list[Ask]:
        payers = [next(turn) for _ in range(count)]
        much = {"amount": "90000000.00"}
        requests = [transfer(one, bank.people[one.knows], uuid.uuid4().hex, **much) for one in payers]
        return [asking(request, expect=409) for request in requests]

    return asks


# --- Measuring -------------------------------------------------------------------------------------------------


def routes(engine: str, targets: dict[str, Target], rounds: int, requests: int) -> Iterator[Figure]:
    table = f"Routes of the API, eight clients, on {engine}"
    got = take_turns({name: lambda one=one: one.measured(requests) for name, one in targets.items()}, rounds)
    for name, rounds_of_it in got.items():
        yield figure(table, f"{name}: processor time of the workers", "ms", [one.cpu_ms for one in rounds_of_it])
        yield figure(table, f"{name}: by the clock", "a second", [one.per_second for one in rounds_of_it])
    costs = {name: [one.cpu_ms for one in rounds_of_it] for name, rounds_of_it in got.items()}
    speeds = {name: [one.per_second for one in rounds_of_it] for name, rounds_of_it in got.items()}
    yield figure(table, f"{POST}: processor time, of {SESSION}", "×", ratios(costs[POST], costs[SESSION]))
    yield figure(table, f"{SESSION}: throughput, of the {BARE}", "×", ratios(speeds[SESSION], speeds[BARE]))
    yield figure(table, f"{POST}: throughput, of the {HAND}", "×", ratios(speeds[POST], speeds[HAND]))
    if BASE in got:
        yield figure(
            table, f"{SESSION} alone: processor time, of that at 11100bd", "×", ratios(costs[HERE], costs[BASE])
        )


def by_clients(engine: str, targets: dict[str, Target], rounds: int, requests: int) -> Iterator[Figure]:
    table = f"Payments by so many clients, on {engine}"

    def measure(name: str, clients: int) -> Callable[[], Served]:
        return lambda: targets[name].measured(max(requests, 2 * clients), clients)

    ways = {(name, clients): measure(name, clients) for name in (POST, HAND) for clients in CLIENTS}
    got = take_turns(ways, rounds)
    for (name, clients), all_rounds in got.items():
        what = f"{name}, {clients} {'client' if clients == 1 else 'clients'}"
        yield figure(table, f"{what}: throughput", "a second", [one.per_second for one in all_rounds])
        yield figure(table, f"{what}: p50", "ms", [one.percentile(0.5) for one in all_rounds])
        yield figure(table, f"{what}: p99", "ms", [one.percentile(0.99) for one in all_rounds])
    for name in (POST, HAND):
        eight, many = got[name, 8], got[name, 32]
        tails = [one.percentile(0.99) / one.percentile(0.5) for one in eight]
        yield figure(table, f"{name}, 8 clients: p99 ÷ p50", "×", tails)
        gained = ratios([one.per_second for one in many], [one.per_second for one in eight])
        yield figure(table, f"{name}: throughput of 32 clients ÷ of 8", "×", gained)


def by_kind(engine: str, targets: dict[str, Target], rounds: int, requests: int) -> Iterator[Figure]:
    table = f"Kinds of payments, four clients, on {engine}"
    got = take_turns({name: lambda one=one: one.measured(requests, 4) for name, one in targets.items()}, rounds)
    for name, all_rounds in got.items():
        yield figure(table, f"{name}: processor time of the workers", "ms", [one.cpu_ms for one in all_rounds])
        yield figure(table, f"{name}: p50", "ms", [one.percentile(0.5) for one in all_rounds])
        yield figure(table, f"{name}: p99", "ms", [one.percentile(0.99) for one in all_rounds])


def measure(folder: Path, options: Any) -> list[Figure]:
    # As many as give codes, even in a try: nobody has a second code within the half minute.
    rounds, requests, customers = (1, 40, 200) if options.quick else (options.rounds, options.requests, 1000)
    server = options.database_url
    bank = prepare(folder, customers=customers, server=server)
    beside, log = copied(bank), folder / "log"
    engine = "PostgreSQL" if server else "SQLite"
    with ExitStack() as stack:
        own = stack.enter_context(served(bank, log))
        bare = stack.enter_context(served(beside, log, application="bare_view:application"))
        targets = {name: Target(own, gets(bank, path), _CHEAP) for name, path in GETS.items()}
        targets[BARE] = Target(bare, lambda count: [asking(http("GET", "/bare"), expect=200)] * count, _CHEAP)
        targets |= {POST: Target(own, payments(bank)), HAND: Target(bare, payments_by_hand(beside))}
        if options.base:
            for name, tree in {HERE: ROOT, BASE: options.base}.items():
                quiet = prepare(folder, customers=5, tree=tree, server=server)
                targets[name] = Target(stack.enter_context(served(quiet, log)), gets(quiet, GETS[SESSION]), _CHEAP)
        found = list(routes(engine, targets, rounds, requests))
        found += by_clients(engine, targets, rounds, requests)
        kinds = {
            POST: targets[POST],
            FIRST: Target(own, first_payments(bank)),
            AGAIN: Target(own, repeated_payments(bank, own, 40)),
            REFUSED: Target(own, refused_payments(bank)),
        }
        found += by_kind(engine, kinds, min(rounds, 5), min(requests, 80))
    require_exact(bank)
    require_exact(beside)
    return found


def main() -> None:
    parser = program(__doc__ or "", rounds=5)
    parser.add_argument("--requests", type=int, default=240, help="of each address, in each round")
    parser.add_argument("--base", type=Path, help="a checkout of commit 11100bd, to compare the baseline with")
    options = parser.parse_args()
    with scratch_folder() as folder:
        found = measure(folder, options)
    tell(found, options.json)


if __name__ == "__main__":
    main()
