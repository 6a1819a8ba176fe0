# Five words for a contributor. Each target is one command that also works by hand.
.PHONY: install lint test study report

install: ## the project, its tests and its linters, in the active virtual environment
	pip install -e '.[test,app]'

lint: ## style, types and import contracts
	ruff check . && ruff format --check . && mypy && lint-imports && lookbook check

test: ## the default tests and the doctests
	pytest

study: ## every stage of the study that is out of date
	dvc repro

report: ## reports/index.html and what it reads
	dvc repro report
