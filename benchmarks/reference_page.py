"""The page of the reference table, from its stored lines; ``reference.py`` writes it."""

import numpy as np

HEAD = """# Reference table

What the VAEs of this course reach on MNIST and Fashion-MNIST, to be compared with and to be cited.
`benchmarks/reference.py` wrote this page from [{results}]({results}), which holds one line for each row and seed, with
everything that was measured.

To repeat a row:

```
.venv/bin/python benchmarks/reference.py --rows {example} --results build/mine.jsonl
```

Its lines are then in `build/mine.jsonl` and its table in `build/mine.md`. Without `--results` only what is missing here
is run. The data are the official files; an image set drawn in code is refused.

## What the columns say

All is in nats per image, on the 10,000 test images, after training on the 60,000 training images: the mean over seeds,
and in brackets the lowest and the highest of them.

- **-ELBO** is distortion plus rate, with {draws} draws of z for each image. **distortion** is E_q[-log p(x|z)],
  **rate** is KL(q(z|x) || p(z)) in closed form.
- **IWAE** is minus the importance-weighted bound with k = {k:,} draws (Burda et al. 2015): in expectation at most
  -ELBO, and at least -log p(x). Its distance to -ELBO was measured on {k_images} test images, always the same, and
  subtracted from the -ELBO of all 10,000. After ± stands the standard error of that distance, the largest of the seeds.
- **active** counts the latent dimensions whose posterior mean has a variance above 0.01 over the test images.
- **seconds** are those of the training, input pipeline included, on {cores} cores that had other work as well, and
  where the training stood still at times: an order of magnitude.

## Settings

- **static**: a pixel is 1 where its grey level is above 0.5, in training and test. **stochastic**: a pixel is 1 with
  the probability that its grey level names; in training drawn anew in every epoch, in the test set drawn once, the same
  draw for all rows. Numbers of the two kinds cannot be compared.
- **dense**: two layers of 512 ReLU units in the encoder and three in the decoder (`networks.dense_vae_networks`), 20
  epochs, peak rate 0.001. **conv**: system 9 (`networks.conv_vae_networks`), 6 epochs, peak rate 0.003. The number at
  the end of a row's name is that of the latent dimensions.
- Adam, batches of {batch}, a warm-up over a twentieth of the steps and then a cosine to 0; the KL in closed form with
  weight 1 from the first step, one draw of z for each image, float32. The last weights are measured: no image chooses
  them.
- Longer trainings reach lower numbers; [Quality](README.md) shows by how much.
"""

CROSS = """
## Beside published figures

The same estimators on models that others have published, with far fewer epochs than theirs: the number at the end of a
row's name is that of the epochs. The pixels of `burda` are stochastic. Those of `pythae` were drawn once, for training
and test; it was published with another such draw.

| row | networks, epochs | -ELBO | IWAE | active | seeds | published |
|---|---|---|---|---|---|---|
"""
PUBLISHED = {
    "burda": "86.76, 19 active (Burda et al. 2015, table 1, one layer, k = 1, 3,280 epochs)",
    "pythae": "89.78 (pythae, 200 draws, 50,000 training images)",
}
NETWORKS = {"burda": "two layers of 200 tanh units each way", "pythae": "one layer of 400 ReLU units each way"}


def spread(values: list[float], digits: int = 1) -> str:
    """The mean of some seeds, with the lowest and the highest."""
    text = f"{np.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def cells(lines: list[dict], digits: int = 1) -> dict[str, str]:
    """The columns of one row, from the lines of its seeds."""
    column = {key: [line[key] for line in lines] for key in lines[0]}
    active = sorted(set(column["active_units"]))
    error = max(column["negative_iwae_error"])
    return {
        "-ELBO": spread(column["negative_elbo"], digits),
        "IWAE": f"{spread(column['negative_iwae'], digits)} ± {error:.{digits}f}",
        "rate": f"{np.mean(column['rate']):.1f}",
        "distortion": f"{np.mean(column['distortion']):.1f}",
        "active": " to ".join(str(number) for number in sorted({active[0], active[-1]})),
        "seconds": f"{np.median(column['seconds']):.0f}",
        "seeds": str(len(lines)),
    }


def line_of(texts) -> str:
    return f"| {' | '.join(texts)} |\n"


def page(lines: list[dict], rows: dict, results: str) -> str:
    """The page as text: a table for each data set that has lines, rows beside published ones, what is missing."""
    of_row = {name: [line for line in lines if line["row"] == name] for name in rows}
    done = {name: found for name, found in of_row.items() if found}
    name, (first, *_) = next(iter(done.items()))
    text = HEAD.format(results=results, example=name, **first)
    for data_set, title in (("fashion", "Fashion-MNIST"), ("mnist", "MNIST")):
        chosen = {name: found for name, found in done.items() if name.startswith(data_set)}
        if chosen:
            columns = list(cells(next(iter(chosen.values()))))
            text += f"\n## {title}\n\n" + line_of(["row", *columns]) + "|---" * (1 + len(columns)) + "|\n"
            text += "".join(line_of([name, *cells(found).values()]) for name, found in chosen.items())
    crossed = {name: found for name, found in done.items() if rows[name].networks in PUBLISHED}
    if crossed:
        text += CROSS
    for name, found in crossed.items():
        row, column = rows[name], cells(found, digits=2)
        shown = [column[key] for key in ("-ELBO", "IWAE", "active", "seeds")]
        text += line_of([name, f"{NETWORKS[row.networks]}, {row.epochs} epochs", *shown, PUBLISHED[row.networks]])
    if missing := [name for name, found in of_row.items() if not found]:
        text += f"\n## Not run yet\n\n{', '.join(f'`{name}`' for name in missing)}.\n"
    return text
