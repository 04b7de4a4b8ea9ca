"""Tables and plots from the results of a session."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.session import wrong

MISSING = "-"


def _by_row(results, mode):
    """Group records of one mode: (case, op) -> threads -> who -> record."""
    rows: dict = {}
    for record in results:
        if record["mode"] == mode:
            row = rows.setdefault((record["case"], record["op"]), {})
            row.setdefault(record["threads"], {})[record["who"]] = record
    return rows


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _cell(row, who, threads, statistic) -> str:
    texts = []
    for count in threads:
        record = row.get(count, {}).get(who)
        if record is None or "median_ms" not in record:
            texts.append("failed" if record and "failed" in record else MISSING)
        else:
            texts.append(_number(record[statistic]) + ("*" if wrong(record) else ""))
    return MISSING if set(texts) == {MISSING} else " / ".join(texts)


def is_peer(who: str) -> bool:
    return who not in ("floor", "first_touch") and who.partition(":")[0] != "fastroi"


def fastest_correct_peer(group: dict, statistic="median_ms") -> dict | None:
    """Return the record of the fastest package whose values are right, or None."""
    records = [record for who, record in group.items() if is_peer(who) and "median_ms" in record and not wrong(record)]
    return min(records, key=lambda record: record[statistic], default=None)


def ratios(group: dict, statistic="median_ms") -> tuple[float | None, float | None]:
    """Return (fastest correct peer / fastroi, fastroi / floor) of one row at one thread count."""
    own = group.get("fastroi")
    if not own or "median_ms" not in own:
        return None, None
    peer, floor = fastest_correct_peer(group, statistic), group.get("floor")
    return (peer[statistic] / own[statistic] if peer else None, own[statistic] / floor[statistic] if floor else None)


def _ratio_cell(row, threads, which, statistic) -> str:
    texts = []
    for count in threads:
        value = ratios(row.get(count, {}), statistic)[which]
        texts.append(MISSING if value is None else f"{value:.1f}x")
    return MISSING if set(texts) == {MISSING} else " / ".join(texts)


def markdown(data: dict, statistic: str = "median") -> str:
    """Render a session as Markdown, by the median or the min of the calls."""
    machine, packages = data["machine"], data["packages"]
    lines = [
        (
            f"{machine['cpu']}, {machine['cores']} cores, {' '.join(machine['isa'])}; "
            f"Python {machine['python']}, NumPy {machine['numpy']}."
        ),
        "",
        "| package | version | instruction set | how it is run |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {who} | {about['version']} | {about['isa'] or MISSING} | {about['notes']} |"
        for who, about in packages.items()
    ]
    if "results" in data:
        lines += _timing_tables(data["results"], statistic)
    if "agreement" in data:
        lines += agreement_table(data["agreement"])
    return "\n".join(lines) + "\n"


def _timing_tables(results, statistic) -> list[str]:
    lines, key = [], f"{statistic}_ms"
    threads = sorted({record["threads"] for record in results})
    titles = {"preallocated": "Outputs preallocated", "fresh": "Outputs freshly allocated"}
    for mode, title in titles.items():
        rows = _by_row(results, mode)
        if not rows:
            continue
        whos = [w for w in dict.fromkeys(r["who"] for r in results if r["mode"] == mode) if w != "floor"]
        counts = " / ".join(str(count) for count in threads)
        lines += [
            "",
            f"## {title}",
            "",
            (
                f"{statistic.capitalize()} ms per call at {counts} thread(s), rounds interleaved. `*`: the "
                "values are not those of the operator."
            ),
            "",
            "| workload, operator | floor | "
            + " | ".join(whos)
            + " | fastest correct peer / fastroi | fastroi / floor |",
            "|---" * (len(whos) + 4) + "|",
        ]
        for (case, op), row in rows.items():
            cells = [_cell(row, who, threads, key) for who in ["floor", *whos]]
            cells += [_ratio_cell(row, threads, which, key) for which in (0, 1)]
            lines.append(f"| {case} {op} | " + " | ".join(cells) + " |")
    return lines


def agreement_table(records) -> list[str]:
    """Return the lines of the table operator x package x RoIs x differences."""
    lines = [
        "",
        "## Agreement of the packages with the float64 reference",
        "",
        ("| operator | workload's map | package | rule | RoIs | RoIs that differ | largest difference |"),
        "|---|---|---|---|---|---|---|",
    ]
    for record in records:
        head = f"| {record['op']} | {record['case']} | {record['who']} | "
        check = record.get("check")
        if "failed" in record:
            lines.append(head + f"failed: {record['failed']} | | | |")
        elif check:
            largest = MISSING if check["largest"] is None else f"{check['largest']:.3g}"
            lines.append(head + f"{check.get('rule', '')} | {check['rois']} | {check['disagreeing']} | {largest} |")
    return lines


def _axes(plt, title, xlabel, ylabel):
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(True, which="both", alpha=0.25)
    return figure, axes


def _ratio_plot(plt, results, mode, count):
    rows = {key: row[count] for key, row in _by_row(results, mode).items() if count in row}
    rows = {key: group for key, group in rows.items() if "floor" in group}
    whos = list(dict.fromkeys(who for group in rows.values() for who in group if who != "floor"))
    figure, axes = _axes(plt, f"Time over the floor, {mode} output, {count} thread(s)", "", "time / floor")
    for index, who in enumerate(whos):
        points = [
            (x, group[who]["median_ms"] / group["floor"]["median_ms"], wrong(group[who]))
            for x, group in enumerate(rows.values())
            if who in group and "median_ms" in group[who]
        ]
        for face, flag in ((f"C{index}", False), ("none", True)):
            chosen = [(x, y) for x, y, bad in points if bad == flag]
            if chosen:
                axes.scatter(
                    *zip(*chosen, strict=True),
                    facecolors=face,
                    edgecolors=f"C{index}",
                    label=who + (" (other values)" if flag else ""),
                    zorder=3,
                )
    axes.set_yscale("log")
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xticks(range(len(rows)), [f"{case}\n{op}" for case, op in rows], fontsize=7, rotation=45)
    axes.legend(fontsize=7, ncols=2)
    return figure


def _sweep_plot(plt, results, prefix, title, xlabel):
    chosen = [r for r in results if r["case"].startswith(prefix) and r["mode"] == "preallocated" and "median_ms" in r]
    if not chosen:
        return None
    count = max(r["threads"] for r in chosen)
    figure, axes = _axes(plt, f"{title}, {count} thread(s)", xlabel, "ms")
    series: dict = {}
    for record in chosen:
        if record["threads"] == count:
            point = int(record["case"][len(prefix) :]), record["median_ms"]
            series.setdefault((record["op"], record["who"]), []).append(point)
    for (op, who), points in sorted(series.items()):
        axes.plot(
            *zip(*sorted(points), strict=True),
            marker="o",
            linestyle="--" if who == "floor" else "-",
            label=f"{who} {op}",
        )
    axes.set(xscale="log", yscale="log")
    axes.legend(fontsize=7)
    return figure


def _scaling_plot(plt, results):
    threads = sorted({record["threads"] for record in results})
    rows = _by_row(results, "preallocated")
    if len(threads) < 2 or not rows:
        return None
    figure, axes = _axes(
        plt, "Scaling with threads, preallocated output", "threads", "time at the fewest threads / time"
    )
    for (case, op), row in rows.items():
        points = [
            (count, row[count]["fastroi"]["median_ms"])
            for count in threads
            if "median_ms" in row.get(count, {}).get("fastroi", {})
        ]
        if len(points) > 1:
            axes.plot([c for c, _ in points], [points[0][1] / ms for _, ms in points], marker="o", label=f"{case} {op}")
    axes.plot(threads, [count / threads[0] for count in threads], color="black", linewidth=1, label="ideal")
    axes.set_xticks(threads)
    axes.legend(fontsize=7, ncols=2)
    return figure


def plots(data: dict, folder: Path) -> list[Path]:
    """Draw what the results allow; return the files written."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    results = data.get("results", [])
    tables = [r for r in results if not r["case"].startswith(("side", "count"))]
    figures = {}
    for mode in ("preallocated", "fresh"):
        for count in sorted({r["threads"] for r in tables if r["mode"] == mode}):
            figures[f"floor_{mode}_{count}.png"] = _ratio_plot(plt, tables, mode, count)
    figures["cost_side.png"] = _sweep_plot(plt, results, "side", "Cost against the box's side", "side, px")
    figures["cost_count.png"] = _sweep_plot(plt, results, "count", "Cost against the number of RoIs", "RoIs")
    figures["scaling.png"] = _scaling_plot(plt, tables)
    written = []
    for name, figure in figures.items():
        if figure is not None:
            figure.savefig(folder / name, dpi=130)
            plt.close(figure)
            written.append(folder / name)
    return written
