// Apart from the figure, as the library comes with it, which is not needed before the reader asks for other garments.
import { drawerOfFigure } from "../common/page-data.ts";

export { drawMoments } from "./model.ts";

export const drawerOf = drawerOfFigure();
