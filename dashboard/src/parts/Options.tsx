import type { KeyValue } from "../api/types";
import { type Column, Table } from "./Table";

const COLUMNS: Column<KeyValue>[] = [
  { id: "key", title: "Option", order: ({ key }) => key, cell: ({ key }) => <code>{key}</code> },
  { id: "value", title: "Value", cell: ({ value }) => <code className="wrap">{value}</code> },
  { id: "origin", title: "Set by", order: ({ origin }) => origin, cell: ({ origin }) => <span className="faint">{origin}</span> },
];

const WITHOUT_ORIGIN = COLUMNS.slice(0, 2);

/** Options and their values. */
export function Options({ options }: { options: readonly KeyValue[] }) {
  const origins = options.some(({ origin }) => origin);
  return (
    <Table
      name="options"
      rows={options}
      columns={origins ? COLUMNS : WITHOUT_ORIGIN}
      rowKey={({ key }) => key}
      text={({ key, value }) => `${key} ${value}`}
      sort="key"
      empty="Nothing is set."
    />
  );
}
