# Run as root on Debian 12: the lab needs namespaces. `make check` and `make lint` are for any user. `make help` lists the targets.
PYTHON = /usr/bin/python3
DESTDIR =
PREFIX = /usr
OCF = $(DESTDIR)/usr/lib/ocf
LAB = .lab
BENCH = bench-results
BENCH_OPTIONS = --costs --growth
VENV = .venv
RUNS = 20
SCHEDULES = 100
TIMING = --loss 20 --share 5 --pause 2
SEED = 1
FUZZ = 10000
FUZZ_CONFIGURATIONS = 200
SOAK_MINUTES = 120
# Tests at a time, but for those that need a lab (tests/parallel.py). Of two processors a third makes use: many tests wait.
WORKERS = 3

# What the lab and the tests use on this machine. The cluster, the servers and their clients are in the lab's image.
HOST_PACKAGES = mmdebstrap iproute2 nftables util-linux procps python3 python3-click python3-rich \
    python3-lxml python3-pymysql python3-psutil python3-pytest python3-pytest-xdist python3-hypothesis \
    python3-setuptools python3-wheel python3-venv python3-pip python3-matplotlib man-db strace
VAGRANT_PACKAGES = vagrant vagrant-lxc lxc openssh-client rsync

SHARE = $(DESTDIR)$(PREFIX)/share
COMPLETIONS = $(addprefix $(SHARE)/,bash-completion/completions zsh/vendor-completions fish/vendor_completions.d)

LAB_LIBRARY = $(DESTDIR)$(PREFIX)/lib/backstay-lab
# What `make uninstall` removes where nothing else is in it.
EMPTIED = usr/lib/ocf/resource.d usr/lib/ocf/lib $(addprefix .$(PREFIX)/,bin share/man/man7 share/man/man8 share/crmsh/scripts share/doc/backstay) \
    $(patsubst $(DESTDIR)/%,%,$(COMPLETIONS))

# What `make deb` needs beside the above, reads, and where it puts the packages.
DEB_PACKAGES = $(HOST_PACKAGES) dpkg-dev debhelper dh-python lintian
PACKAGED = agents bin crm-templates debian docs examples lab lib CHANGELOG.md LICENSE Makefile README.md
DIST = dist
LINTIAN = lintian --fail-on error,warning,info --display-info --tag-display-limit 0

EXPLORE =

.PHONY: explore help setup setup-vagrant demo demo-openstack demo-nova check test test-chamber test-all test-failover test-sid test-trixie test-pythons test-alarms test-timing test-vagrant campaign campaign-aimed soak fuzz verdicts bench lint tables install install-lab uninstall deb clean

help:
	@echo 'make demo           a real failover, start to finish, on this machine (DEMO_DOWN=1: take it down afterwards)'
	@echo 'make demo-openstack the same with MySQL, HAProxy and RabbitMQ on all nodes, under nova'"'"'s boot flow'
	@echo 'make demo-nova      the same with OpenStack itself: keystone, placement, glance and nova, in an image of its own'
	@echo 'make check          lint, types, decisions and rules of the house: without root, in a minute; needs python3-venv'
	@echo 'make test           the same tests, then contract, templates, lab and failover on the lab'
	@echo 'make test-chamber   contract and templates alone: agents in a Debian 12 of their own, without a cluster'
	@echo 'make test-all       the same, and what is left out there because it takes long'
	@echo 'make test-failover  every fault, RUNS=$(RUNS) times each, with the distribution of the gap'
	@echo 'make test-failover-openstack   each service'"'"'s faults under nova'"'"'s boot flow'
	@echo 'make test-failover-nova   the same under OpenStack itself; two minutes a fault'
	@echo 'make test-sid       the main faults with Oracle MySQL, RabbitMQ 4 and Pacemaker 3'
	@echo 'make test-trixie    a smoke of MySQL, RabbitMQ and readers on Debian 13, in ten minutes'
	@echo 'make test-pythons   the decisions with Python 3.9, 3.13 and 3.14, in the images of Debian 11, 13 and sid'
	@echo 'make test-alarms    an hour of load and starvation, a thousand planned stops: the watchers must tell nothing'
	@echo 'make test-timing    a node that loses packets, starves or pauses: must neither be fenced nor deposed'
	@echo 'make campaign       $(SCHEDULES) schedules of faults from seeds for each service (or campaign-openstack, …), judged by what the histories prove'
	@echo 'make campaign-aimed schedules aimed at orders of events that chance meets seldom (or campaign-aimed-mysql, …)'
	@echo 'make soak           $(SOAK_MINUTES) minutes of load on MySQL (soak-rabbitmq, soak-openstack) with a fault every two minutes: judged'
	@echo '                    by the same rules, and memory, descriptors, processes and files must stay flat'
	@echo 'make explore        every order of events of a small set of servers or brokers, with the steps and decisions that run (EXPLORE=--help);'
	@echo '                    REPLAY=EVENTS tells a story that it printed'
	@echo 'make fuzz           $(FUZZ) bad inputs for every reader of parameters, answers, XML, GTIDs and Erlang terms, and whole'
	@echo '                    configurations, as people have them and damaged: the agents must agree with the daemons'
	@echo 'make verdicts       write down anew what the daemons say of the configurations in tests/corpus'
	@echo 'make test-vagrant   faults on machines that Vagrant makes in LXC, with a box made here; needs $(firstword $(VAGRANT_PACKAGES))'
	@echo 'make bench          beside the agents in use, RUNS=$(RUNS) rounds in turn; $(BENCH)/report.html (BENCH_OPTIONS=--help)'
	@echo 'make setup          install what the above need here: $(firstword $(HOST_PACKAGES)) and a few more packages'
	@echo 'make lint           ruff and mypy, in $(VENV), where pip puts what `make check` needs too'
	@echo 'make tables         write docs/reference/tables.md from the tables that the code decides by'
	@echo 'make install        agents, library, templates and command, under DESTDIR=$(DESTDIR)'
	@echo 'make install-lab    lab, rehearsals, campaigns, bench and report, beside it'
	@echo 'make uninstall      take both away'
	@echo 'make deb            the Debian packages backstay-agents, backstay and backstay-lab, in $(DIST)'
	@echo 'make clean          remove what the above left in this directory, the lab and its image included'

setup: WANTED = $(HOST_PACKAGES)
setup-vagrant: WANTED = $(VAGRANT_PACKAGES)
setup-vagrant: setup
setup setup-vagrant:
	@missing=; for package in $(WANTED); do \
	    dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] || { echo "installing:$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; }

demo: setup
	$(PYTHON) -I bin/backstay demo --dir $(LAB) $(if $(DEMO_DOWN),--down)

demo-openstack: setup
	$(PYTHON) -I bin/backstay demo openstack --dir $(LAB)-openstack $(if $(DEMO_DOWN),--down)

# Its image is built the first time, which takes minutes, and 2 GB.
demo-nova: setup
	$(PYTHON) -I bin/backstay demo nova --dir $(LAB)-nova $(if $(DEMO_DOWN),--down)

check: lint
	BACKSTAY_FUZZ=20 $(VENV)/bin/python -m pytest -n $(WORKERS) -m 'not chamber and not lab and not slow' --hypothesis-profile=quick \
	    tests/rules tests/decisions $(PYTEST)

test: setup
	$(PYTHON) -m pytest -n $(WORKERS) -m 'not slow and not vagrant' $(PYTEST)

test-chamber: setup
	$(PYTHON) -m pytest -n $(WORKERS) -m 'chamber and not slow' $(PYTEST)

test-vagrant: setup-vagrant
	$(PYTHON) -m pytest tests/vagrant $(PYTEST)
	BACKSTAY_TEST_NODES=vagrant $(PYTHON) -m pytest tests/failover/test_mysql.py -k 'not oracle' $(PYTEST)

test-all: setup-vagrant
	$(PYTHON) -m pytest -n $(WORKERS) $(PYTEST)

test-failover: test-failover-mysql test-failover-rabbitmq
test-sid: test-sid-mysql test-sid-rabbitmq test-sid-haproxy test-sid-readers

# Boots must survive the return of what was hit as well.
UNTIL_openstack = --until-whole

test-failover-%: setup
	$(PYTHON) -I bin/backstay rehearse $* --runs $(RUNS) --fault all $(UNTIL_$*) --json failover-$*.json

SID_mysql = kill power-off move
SID_rabbitmq = kill power-off cold-start

test-sid-%: setup
	$(PYTHON) -I bin/backstay rehearse $* --image sid --runs 5 $(addprefix --fault ,$(SID_$*)) --json failover-sid-$*.json

test-sid-haproxy: setup
	BACKSTAY_TEST_IMAGE=sid $(PYTHON) -m pytest tests/contract/test_haproxy.py tests/contract/test_haproxy_contract.py

# What a new Debian breaks shows in minutes: scores and languages of its tools, one fault of each service, and readers.
test-trixie: setup
	BACKSTAY_TEST_IMAGE=trixie $(PYTHON) -m pytest -m 'not slow' tests/templates/test_readers_template.py $(PYTEST)
	$(PYTHON) -m pytest -k trixie tests/contract/test_option_file.py $(PYTEST)
	$(PYTHON) -I bin/backstay rehearse mysql --image trixie --no-floor --fault kill --fault move --json smoke-trixie-mysql.json
	$(PYTHON) -I bin/backstay rehearse rabbitmq --image trixie --no-floor --fault kill --json smoke-trixie-rabbitmq.json
	BACKSTAY_TEST_IMAGE=trixie $(PYTHON) -m pytest tests/failover/test_readers.py $(PYTEST)

test-pythons: setup
	PYTHONPATH=lib:lab $(PYTHON) -m backstay_lab.run.pythons

# Two may run side by side where the machine allows: make -j2 campaign
campaign: campaign-mysql campaign-rabbitmq campaign-openstack

campaign-aimed: campaign-aimed-mysql campaign-aimed-rabbitmq

campaign-aimed-%: setup
	$(PYTHON) -I bin/backstay campaign $* --aimed --dir $(LAB)-aimed-$* --json campaign-aimed-$*.json

campaign-%: setup
	$(PYTHON) -I bin/backstay campaign $* --runs $(SCHEDULES) --seed $(SEED) --dir $(LAB)-campaign-$* --json campaign-$*.json

soak: soak-mysql

soak-%: setup
	$(PYTHON) -I bin/backstay campaign $* --soak --minutes $(SOAK_MINUTES) --seed $(SEED) --dir $(LAB)-soak-$* --json soak-$*.json

explore: setup
	PYTHONPATH=lib:lab $(PYTHON) -c 'from backstay_lab.explorer.cli import command; command()' $(EXPLORE) $(if $(REPLAY),--replay '$(REPLAY)')

fuzz: setup
	BACKSTAY_FUZZ=$(FUZZ) BACKSTAY_CORPUS=all BACKSTAY_FUZZ_SEED=$(SEED) BACKSTAY_FUZZ_CONFIGURATIONS=$(FUZZ_CONFIGURATIONS) \
	    $(PYTHON) -m pytest tests/decisions/test_fuzz.py tests/decisions/test_corpus_reading.py tests/contract/test_corpus.py $(PYTEST)

verdicts: setup
	BACKSTAY_CORPUS=record $(PYTHON) -m pytest tests/contract/test_corpus.py -k people $(PYTEST)

test-sid-readers: setup
	BACKSTAY_TEST_IMAGE=sid $(PYTHON) -m pytest tests/failover/test_readers.py

bench: setup
	status=0; \
	$(PYTHON) -I bin/backstay bench --runs $(RUNS) --dir $(LAB)-bench --output $(BENCH)/bench.jsonl $(BENCH_OPTIONS) || status=$$?; \
	$(PYTHON) -I bin/backstay report $(BENCH) --title 'Backstay beside the agents in use' && exit $$status

$(VENV)/ready: tests/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement tests/requirements.txt
	touch $@

test-alarms: setup
	PYTHONPATH=lib:lab $(PYTHON) -m backstay_lab.run.false_alarms

test-timing: setup
	PYTHONPATH=lib:lab $(PYTHON) -m backstay_lab.run.timing $(TIMING)

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

tables:
	PYTHONPATH=lib $(PYTHON) tests/decisions/tables.py

# The agents first: they know their own library and the one before.
install:
	install -d $(OCF) $(DESTDIR)$(PREFIX)/bin $(SHARE)/backstay/crm-templates $(COMPLETIONS)
	PYTHONPATH=lib $(PYTHON) -m backstay.admin.install $(OCF)
	install -m 755 bin/backstay $(DESTDIR)$(PREFIX)/bin
	install -m 644 crm-templates/* $(SHARE)/backstay/crm-templates
	install -d $(SHARE)/doc/backstay/docs
	cp -r docs/. $(SHARE)/doc/backstay/docs
	chmod -R u=rwX,go=rX $(SHARE)/doc/backstay/docs
	PYTHONPATH=lib $(PYTHON) -m backstay.admin.wizard $(SHARE)/crmsh/scripts
	PYTHONPATH=lib $(PYTHON) -m backstay.admin.manpage $(SHARE)/man
	_BACKSTAY_COMPLETE=bash_source $(PYTHON) -I bin/backstay > $(word 1,$(COMPLETIONS))/backstay
	_BACKSTAY_COMPLETE=zsh_source $(PYTHON) -I bin/backstay > $(word 2,$(COMPLETIONS))/_backstay
	_BACKSTAY_COMPLETE=fish_source $(PYTHON) -I bin/backstay > $(word 3,$(COMPLETIONS))/backstay.fish

# No agent runs from there: what was there is replaced file by file.
install-lab:
	rm -rf $(LAB_LIBRARY)
	install -d $(LAB_LIBRARY)
	cp -r lab/backstay_lab $(LAB_LIBRARY)
	find $(LAB_LIBRARY) -name __pycache__ -type d -prune -exec rm -r {} +
	chmod -R u=rwX,go=rX $(LAB_LIBRARY)
	$(PYTHON) -m compileall -q -s "$(DESTDIR)" -p / $(LAB_LIBRARY)
	PYTHONPATH=lib:lab $(PYTHON) -m backstay.admin.manpage $(SHARE)/man backstay_lab.commands

# Both, and the directories that are empty then. State of resources in /run stays: they may run.
uninstall:
	PYTHONPATH=lib $(PYTHON) -B -m backstay.admin.install --remove $(OCF)
	rm -rf $(LAB_LIBRARY) $(SHARE)/backstay $(SHARE)/doc/backstay/docs $(SHARE)/crmsh/scripts/backstay-*
	rm -f $(SHARE)/man/man7/ocf_backstay_*.7 $(SHARE)/man/man8/backstay.8 $(SHARE)/man/man8/backstay-*.8
	rm -f $(DESTDIR)$(PREFIX)/bin/backstay $(join $(COMPLETIONS),/backstay /_backstay /backstay.fish)
	-cd $(DESTDIR)/ && rmdir --ignore-fail-on-non-empty --parents $(EMPTIED) 2>/dev/null

# The Debian packages, into dist/; lintian's word is part of it.
deb: WANTED = $(DEB_PACKAGES)
deb: setup
	rm -rf build/deb
	mkdir -p build/deb/backstay $(DIST)
	cp -r $(PACKAGED) build/deb/backstay
	cd build/deb/backstay && dpkg-buildpackage --build=binary --no-sign
	$(LINTIAN) build/deb/*.changes
	mv build/deb/*.deb $(DIST)

clean:
	-for lab in $(wildcard $(LAB) $(LAB)-*); do $(PYTHON) -I bin/backstay lab down --dir $$lab; done
	rm -rf .cache $(VENV) $(BENCH) .campaign build lab/build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
