/** How an answer was found, as far as the gateway tells it. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { bytes, grouped } from "../numbers";
import { useSetting, zoneChoice } from "../settings";
import { formatMoment } from "../time";

interface Properties {
  readonly explain: unknown;
  readonly isLoading: boolean;
  /** The gateway is asked to explain only while somebody wants to know. */
  readonly onOpen: (isOpen: boolean) => void;
}

export function How({ explain, isLoading, onOpen }: Properties): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const toggle = (event: Event): void => {
    const now = (event.currentTarget as HTMLDetailsElement).open;
    setOpen(now);
    onOpen(now);
  };
  return (
    <details class="how" onToggle={toggle}>
      <summary>How it was found</summary>
      {isOpen && explain !== undefined && <Told value={explain} />}
      {isOpen && explain === undefined && !isLoading && (
        <p class="dim">This gateway does not explain its answers.</p>
      )}
    </details>
  );
}

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Any JSON: members as names and values, a list of things with members as a table. */
function Told({ value }: { readonly value: unknown }): JSX.Element {
  if (Array.isArray(value)) return value.every(isMembers) ? <Things things={value} /> : <>{value.join(", ")}</>;
  if (!isMembers(value)) return <>{value === null ? "–" : String(value)}</>;
  return (
    <dl>
      {Object.entries(value).map(([name, each]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>
            <Value name={name} value={each} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Things({ things }: { readonly things: readonly Members[] }): JSX.Element {
  if (things.length === 0) return <span class="dim">none</span>;
  const names = [...new Set(things.flatMap((each) => Object.keys(each)))];
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            {names.map((name) => (
              <th key={name}>{words(name)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {things.map((each, at) => (
            <tr key={at}>
              {names.map((name) => (
                <td key={name}>
                  <Value name={name} value={each[name]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Times and bytes as people read them; the gateway names them `from`, `to` and `bytes`. */
function Value({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  const zone = useSetting(zoneChoice);
  if (typeof value !== "number") return <Told value={value} />;
  if (name === "from" || name === "to") return <>{formatMoment(value * 1000, zone)}</>;
  return <>{name === "bytes" ? bytes(value) : grouped(value)}</>;
}

/** `seriesSteps` as `series steps`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
}
