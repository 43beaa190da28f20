/** The page: the bar with the views, and the view that the address names. */

import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Help } from "./help";
import { Link, VIEWS, type View, go, hrefOf, usePlace } from "./navigation";
import { QueryView } from "./query/view";
import { applyTheme, themeChoice, useSetting, zoneChoice } from "./settings";
import { useShortcuts } from "./shortcuts";
import { AlertsView } from "./views/alerts";
import { CardinalityView } from "./views/cardinality";
import { RulesView } from "./views/rules";
import { StatusView } from "./views/status";
import { TargetsView } from "./views/targets";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/query.css";
import "./style/views.css";

const SHOWN: Readonly<Record<View, () => JSX.Element>> = {
  graph: QueryView,
  alerts: AlertsView,
  rules: RulesView,
  targets: TargetsView,
  cardinality: CardinalityView,
  status: StatusView,
};
const ORDER = Object.keys(VIEWS) as View[];
const THEME_SIGNS = { auto: "◐", light: "○", dark: "●" } as const;

function Bar({ view, onHelp }: { readonly view: View; readonly onHelp: () => void }): JSX.Element {
  const theme = useSetting(themeChoice);
  const zone = useSetting(zoneChoice);
  return (
    <header class="bar">
      <Link class="brand" href="graph" aria-label="Streamgauge">
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M1 11h3l2-7 3 9 2-6 1.5 4H15" />
        </svg>
        <span>Streamgauge</span>
      </Link>
      <nav aria-label="Views">
        {ORDER.map((each) => (
          <Link key={each} href={hrefOf(each)} aria-current={each === view ? "page" : "false"}>
            {VIEWS[each]}
          </Link>
        ))}
      </nav>
      <div class="bar-end">
        <button
          class="quiet"
          onClick={() => zoneChoice.set(zoneChoice.next())}
          title="Times in this browser's zone or in UTC"
        >
          {zone === "utc" ? "UTC" : "Local"}
          <span class="hidden"> time; change the zone</span>
        </button>
        <button
          class="quiet"
          onClick={() => themeChoice.set(themeChoice.next())}
          title={`Colours: ${theme}`}
          aria-label={`Colours: ${theme}`}
        >
          {THEME_SIGNS[theme]}
        </button>
        <button class="quiet" onClick={onHelp} title="Keyboard and mouse" aria-label="Keyboard and mouse">
          ?
        </button>
      </div>
    </header>
  );
}

function Page(): JSX.Element {
  const { view } = usePlace();
  const [isHelping, setHelping] = useState(false);
  useShortcuts({
    "?": () => setHelping(true),
    ...Object.fromEntries(ORDER.map((each, at) => [String(at + 1), () => go(hrefOf(each))])),
  });
  useEffect(() => {
    document.title = `${VIEWS[view]} · Streamgauge`;
  }, [view]);
  const Shown = SHOWN[view];
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skip(event)}>
        Skip to the content
      </a>
      <Bar view={view} onHelp={() => setHelping(true)} />
      <main id="main" tabIndex={-1}>
        <Shown />
      </main>
      {isHelping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

/** The address is the state: a link to a part of the page must not change it. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

applyTheme();
document.body.replaceChildren();
render(<Page />, document.body);
