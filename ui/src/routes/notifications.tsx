import { Notifications } from "@/features/notifications/notifications";

export default Notifications;
