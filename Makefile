# Every target sets itself up: `make lab` and `make test` work on a fresh clone.
# A Python of your choice: make lab PYTHON=/path/to/python3.12

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3.10 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := $(sort $(wildcard notebooks/source/[0-9A]*.py))
NOTEBOOKS := $(SOURCES:notebooks/source/%.py=notebooks/%.ipynb)
# Authors keep the image sets beside the clone. Where that folder is missing, the course downloads them or draws its own.
SHARED := $(wildcard ../shared/data)
ifneq ($(SHARED),)
export COURSE_DATA_DIR ?= $(CURDIR)/$(SHARED)
endif

.PHONY: help lab run test notebooks slides handouts site bench clean
help:
	@echo "make lab        open the course in JupyterLab"
	@echo "make run        execute every notebook in order, results under build/run/"
	@echo "make test       every test, and every notebook at the smoke budget"
	@echo "make notebooks  rebuild notebooks/*.ipynb from notebooks/source/*.py, executed"
	@echo "make slides     every deck as one HTML file and as PDF, under build/slides/"
	@echo "make handouts   the notebooks without solutions, under build/handouts/"
	@echo "make site       lessons, guide, decks and glossary as a web site, under build/site/"
	@echo "make bench      the speed and quality tables (more than an hour)"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "This course needs Python 3.10, 3.11, 3.12 or 3.13; none was found. Install one, or name yours: make PYTHON=/path/to/python3.12"; exit 1; }
	@version=$$("$(PYTHON)" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2>/dev/null); case "$$version" in \
	  "Python 3.10"|"Python 3.11"|"Python 3.12"|"Python 3.13") ;; \
	  "Python "[0-9]*.[0-9]*) echo "This course needs Python 3.10, 3.11, 3.12 or 3.13; $(PYTHON) is $$version. Try: make PYTHON=/path/to/python3.12"; exit 1;; \
	  *) echo "$(PYTHON) cannot be started, or is no Python. Name one by its path: make PYTHON=/path/to/python3.12"; exit 1;; esac
	@"$(PYTHON)" tools/environment.py

lab: $(READY)
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

run: $(READY)
	@mkdir -p build/run && cp -r notebooks/figures build/run/
	@n=0; for notebook in $(NOTEBOOKS); do n=$$((n + 1)); \
	  echo "[$$n/$(words $(NOTEBOOKS))] $$notebook"; \
	  $(BIN)/papermill --cwd build/run "$$notebook" "build/run/$$(basename $$notebook)" --no-request-save-on-cell-execute \
	  || { echo "$$notebook stopped with the error above; what it had done is in build/run/$$(basename $$notebook)"; exit 1; }; \
	done
	@$(BIN)/jupyter nbconvert --log-level ERROR --to html --template course \
	  --TemplateExporter.extra_template_basedirs=tools/templates build/run/*.ipynb
	@echo "Done. Open build/run/*.html in a browser (formulas need a network there), or build/run/*.ipynb in JupyterLab."

# Two workers with a thread each: with two threads each they wait for one another.
test: export TF_NUM_INTRAOP_THREADS = 1
test: export TF_NUM_INTEROP_THREADS = 1
test: export OMP_NUM_THREADS = 1
test: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache
	COURSE_BUDGET=smoke $(BIN)/python -m pytest -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout=1200 notebooks tests

notebooks: $(NOTEBOOKS)

# Built, executed, then progress bars folded into their last line; an old notebook stays until its successor is whole.
# While it is executed, its figures are drawn a second time for the slides (tools/hall.py).
notebooks/%.ipynb: notebooks/source/%.py | $(READY)
	@mkdir -p build/notebooks build/ipython/profile_default/startup
	@rm -rf build/hall/$*
	@echo 'import sys; sys.path.append("$(CURDIR)/tools"); import hall; hall.install()' > build/ipython/profile_default/startup/larger.py
	$(BIN)/jupytext --quiet --to ipynb --set-kernel python3 --output build/notebooks/$*.ipynb $<
	cd notebooks && COURSE_BUDGET=$${COURSE_BUDGET:-laptop} COURSE_HALL=$(CURDIR)/build/hall/$* IPYTHONDIR=$(CURDIR)/build/ipython \
	  ../$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --execute \
	  --inplace --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=7200 ../build/notebooks/$*.ipynb
	$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --inplace \
	  --CoalesceStreamsPreprocessor.enabled=True build/notebooks/$*.ipynb
	mv build/notebooks/$*.ipynb $@
	$(BIN)/python tools/front.py $@
	$(BIN)/python tools/hall.py $@ build/hall/$*

slides: $(READY)
	$(BIN)/python tools/slides.py --pdf

handouts: $(READY)
	@mkdir -p build/handouts && cp -r notebooks/figures build/handouts/
	$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --output-dir build/handouts \
	  --TagRemovePreprocessor.enabled=True --TagRemovePreprocessor.remove_cell_tags=solution notebooks/*.ipynb
	@echo "The notebooks without their solutions are in build/handouts/"

site: $(READY)
	$(BIN)/python tools/site.py

bench: $(READY)
	$(BIN)/python benchmarks/fashion_mnist.py
	$(BIN)/python benchmarks/cartoonset.py
	$(BIN)/python benchmarks/avatars.py
	$(BIN)/python benchmarks/draws.py

clean:
	rm -rf build $(VENV) *.egg-info
