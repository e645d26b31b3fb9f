"""Python's asyncio and uvloop, asked in the same words as `ronde-benches`.

    runtimes.py scenarios RUNTIME
    runtimes.py run RUNTIME SCENARIO COUNT
    runtimes.py serve RUNTIME SERVICE
"""

import asyncio
import os
import sys
import threading
import time

LONG = 3600


async def spawn_and_join(count):
    async def child(n):
        return n

    for n in range(count):
        await asyncio.create_task(child(n))


async def yielding(tasks, count):
    async def child():
        for _ in range(count // tasks):
            await asyncio.sleep(0)

    for task in [asyncio.create_task(child()) for _ in range(tasks)]:
        await task


async def gather_10000(count):
    for _ in range(max(count // 10_000, 1)):
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(10_000)))


async def ping_pong(count):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def other():
        for _ in range(count):
            await back.put(await there.get())

    task = asyncio.create_task(other())
    for n in range(count):
        await there.put(n)
        await back.get()
    await task


async def timer_dropped(alive, count):
    loop = asyncio.get_running_loop()
    for n in range(1, alive):
        loop.call_later(LONG + n / 1000, int)
    for n in range(count):
        loop.call_later(LONG + (n * 7 % 1000) / 1000, int).cancel()


async def timers_fired(count):
    async def child(delay):
        await asyncio.sleep(delay)

    delays = (0.001 + 0.2 * (n * 7919 % count) / count for n in range(count))
    for task in [asyncio.create_task(child(delay)) for delay in delays]:
        await task


async def timeout(count):
    for _ in range(count):
        async with asyncio.timeout(LONG):
            await asyncio.sleep(0)


async def cancel_and_join(count):
    for _ in range(count):
        task = asyncio.create_task(asyncio.sleep(LONG))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass


async def group_100(count):
    for _ in range(count // 100):
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(asyncio.sleep(0))


async def call_soon(count):
    loop = asyncio.get_running_loop()
    for _ in range(count // 100):
        for _ in range(100):
            loop.call_soon(int)
        await asyncio.sleep(0)


SCENARIOS = {
    "spawn-and-join": spawn_and_join,
    "yield-1": lambda count: yielding(1, count),
    "yield-100": lambda count: yielding(100, count),
    "gather-10000": gather_10000,
    "ping-pong": ping_pong,
    "timer-dropped-1": lambda count: timer_dropped(1, count),
    "timer-dropped-1000": lambda count: timer_dropped(1000, count),
    "timers-fired": timers_fired,
    "timeout": timeout,
    "cancel-and-join": cancel_and_join,
    "group-100": group_100,
    "call-soon": call_soon,
}

LOADS = ["echo-1", "echo-64", "echo-1000", "echo-64-of-16k", "connect", "lines-64-deep"]


async def measure(scenario, count):
    # The processors' time where the Rust side takes that as well.
    clock = time.process_time_ns if scenario == "timers-fired" else time.perf_counter_ns
    start = clock()
    await SCENARIOS[scenario](count)
    if scenario == "gather-10000":
        count = max(count // 10_000, 1) * 10_000
    return (clock() - start) / count


async def serve(service):
    async def echo(reader, writer):
        while message := await reader.read(16 * 1024):
            writer.write(message)
            await writer.drain()
        writer.close()

    async def lines(reader, writer):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    handler = {"echo": echo, "lines": lines}[service]
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=answer, daemon=True).start()
    await server.serve_forever()


def answer():
    """Says what this process has worked, for each line; ends it with the input."""
    for _ in sys.stdin:
        print(time.process_time_ns(), flush=True)
    os._exit(0)


def main(command, runtime, *rest):
    if runtime == "uvloop":
        import uvloop as runtime
    else:
        runtime = asyncio

    if command == "scenarios":
        print("\n".join([*SCENARIOS, *LOADS]))
    elif command == "run":
        print(runtime.run(measure(rest[0], int(rest[1]))))
    elif command == "serve":
        os.sched_setaffinity(0, {0})
        runtime.run(serve(rest[0]))


main(*sys.argv[1:])
