/** All pages but lists and the graph of a job, which are what a reader comes to first. */

export { CheckpointsTab } from "./job/CheckpointsTab";
export { ConfigurationTab } from "./job/ConfigurationTab";
export { ExceptionsTab } from "./job/ExceptionsTab";
export { RescaleTab } from "./job/RescaleTab";
export { TimelineTab } from "./job/TimelineTab";
export { ProcessPage } from "./process/Process";
export { TaskManagersPage } from "./process/TaskManagers";
export { SubmitPage } from "./Submit";
export { VertexPanel } from "./vertex/VertexPanel";
