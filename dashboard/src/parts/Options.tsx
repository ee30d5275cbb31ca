import { useMemo } from "react";
import type { KeyValue } from "../api/types";
import { useQuery } from "../app/router";
import { NONE } from "../format/units";
import { Sentence } from "./basic";
import { type Column, Table } from "./Table";

const isDefault = ({ origin }: KeyValue) => origin === "default";

const COLUMNS: Column<KeyValue>[] = [
  {
    id: "key",
    title: "Option",
    order: ({ key }) => key,
    cell: (option) => <code className={isDefault(option) ? "faint" : "strong"}>{option.key}</code>,
  },
  {
    id: "value",
    title: "Value",
    cell: (option) => <code className={isDefault(option) ? "wrap faint" : "wrap"}>{option.value === "" ? NONE : option.value}</code>,
  },
  {
    id: "origin",
    title: "Set by",
    // What someone has set comes before what nobody has.
    order: (option) => (isDefault(option) ? "\uffff" : option.origin),
    cell: ({ origin }) => (
      <span className="faint wrap">
        <Sentence text={origin} />
      </span>
    ),
  },
];

/** Options, their values, and where each was given. */
export function Options({ options }: { options: readonly KeyValue[] }) {
  const [only, setOnly] = useQuery("options.set");
  const given = useMemo(() => options.filter((option) => !isDefault(option)), [options]);
  return (
    <>
      <label className="check">
        <input type="checkbox" checked={only === "only"} onChange={(event) => setOnly(event.target.checked ? "only" : "")} />
        <span>
          Only what was set ({given.length} of {options.length})
        </span>
      </label>
      <Table
        name="options"
        rows={only === "only" ? given : options}
        columns={COLUMNS}
        rowKey={({ key }) => key}
        text={({ key, value, origin }) => `${key} ${value} ${origin}`}
        sort="origin"
        empty="Nothing is set."
      />
    </>
  );
}
