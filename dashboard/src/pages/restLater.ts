/** Pages whose script is fetched when one of them is shown, or when the first page is there and there is nothing else to do. */

import { later } from "../parts/later";

const rest = () => import("./rest");

export const CheckpointsTab = later(() => rest().then((part) => part.CheckpointsTab));
export const ConfigurationTab = later(() => rest().then((part) => part.ConfigurationTab));
export const ExceptionsTab = later(() => rest().then((part) => part.ExceptionsTab));
export const RescaleTab = later(() => rest().then((part) => part.RescaleTab));
export const TimelineTab = later(() => rest().then((part) => part.TimelineTab));
export const ProcessPage = later(() => rest().then((part) => part.ProcessPage));
export const TaskManagersPage = later(() => rest().then((part) => part.TaskManagersPage));
export const SubmitPage = later(() => rest().then((part) => part.SubmitPage));
export const VertexPanel = later(() => rest().then((part) => part.VertexPanel));

const ALL = [
  CheckpointsTab,
  ConfigurationTab,
  ExceptionsTab,
  RescaleTab,
  TimelineTab,
  ProcessPage,
  TaskManagersPage,
  SubmitPage,
  VertexPanel,
];

/** Fetches the script. One that cannot be fetched is told of where it is missing. */
export const fetchRest = (): Promise<unknown> => Promise.allSettled(ALL.map((page) => page.fetch()));
